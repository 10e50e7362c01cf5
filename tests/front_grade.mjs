// Prints what the HTTP Observatory says of a server on this machine:
//   node front_grade.mjs PACKAGE HOST PORT
// It asks ports 80 and 443 of whatever the name leads to; here the one is closed, the other PORT.
import dns from "node:dns";
import http from "node:http";
import net from "node:net";
import tls from "node:tls";

const [, , folder, host, port] = process.argv;
const here = { address: "127.0.0.1", family: 4 };
const { connect } = tls;
dns.lookup = (_name, options, found) =>
  options?.all ? found(null, [here]) : found(null, here.address, here.family);
tls.connect = (options, done) =>
  connect({ ...options, host: here.address, servername: host, port: Number(port) }, done);
http.Agent.prototype.createConnection = (_options, done) =>
  net.createConnection({ host: here.address, port: 1 }, done);

const { scan } = await import(`${folder}/src/scanner/index.js`);
console.log(JSON.stringify(await scan(host)));
process.exit(0);
