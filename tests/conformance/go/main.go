// Command judge checks a published site with the checksum database's own code.
//
//	judge site FOLDER LOG-VKEY ARTICLES-VKEY COSIGNER-VKEY...
//	judge paths < lines of "level number width"
//
// It trusts nothing but the keys: the checkpoint's note is opened, every tile is checked
// against the checkpoint's root, every record against its tile, and the proofs that are made
// from the tiles are checked before they are printed, as JSON.
package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height     = 8
	proofMagic = "c2sp.org/tlog-proof@v1"
)

type report struct {
	Origin      string                   `json:"origin"`
	Size        int64                    `json:"size"`
	SignedBy    []string                 `json:"signed_by"`
	Records     int                      `json:"records"`
	Inclusion   map[int64][]string       `json:"inclusion"`
	Consistency map[int64][]string       `json:"consistency"`
	Proofs      map[string]int64         `json:"proofs"`
	Tiles       map[string]tlogTileShape `json:"tiles"`
}

type tlogTileShape struct {
	Level  int   `json:"level"`
	Number int64 `json:"number"`
	Width  int   `json:"width"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "paths":
		return printPaths()
	case len(args) >= 4 && args[0] == "site":
		found, err := judge(args[1], args[2], args[3], args[4:])
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(found)
	}
	return errors.New("usage: judge site FOLDER LOG ARTICLES COSIGNER... | judge paths")
}

func printPaths() error {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		tile := tlog.Tile{H: height}
		if _, err := fmt.Sscan(lines.Text(), &tile.L, &tile.N, &tile.W); err != nil {
			return err
		}
		fmt.Println(tile.Path())
	}
	return lines.Err()
}

func judge(folder, logKey, articlesKey string, cosignerKeys []string) (*report, error) {
	trusted, err := verifiers(logKey, cosignerKeys)
	if err != nil {
		return nil, err
	}
	articles, err := note.NewVerifier(articlesKey)
	if err != nil {
		return nil, err
	}
	signed, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return nil, err
	}
	found := &report{Proofs: map[string]int64{}, Tiles: map[string]tlogTileShape{}}
	tree, names, err := openCheckpoint(signed, trusted, found)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	found.Size, found.SignedBy = tree.N, names
	tiles := &tileFolder{folder, found.Tiles}
	if err := checkTree(tree, tiles, found); err != nil {
		return nil, err
	}
	return found, checkProofFiles(folder, trusted, articles, found)
}

// verifiers returns the log's key, of a type that x/mod knows, and the cosigners' keys.
func verifiers(logKey string, cosignerKeys []string) (note.Verifiers, error) {
	log, err := note.NewVerifier(logKey)
	if err != nil {
		return nil, err
	}
	all := []note.Verifier{log}
	for _, vkey := range cosignerKeys {
		each, err := newCosigner(vkey)
		if err != nil {
			return nil, err
		}
		all = append(all, each)
	}
	return note.VerifierList(all...), nil
}

// A cosigner verifies cosignature/v1 of https://c2sp.org/tlog-cosignature.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newCosigner(vkey string) (*cosigner, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("malformed vkey %q", vkey)
	}
	hash, err := hex.DecodeString(parts[1])
	if err != nil {
		return nil, err
	}
	material, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), material...))
	if len(material) != 33 || material[0] != 4 || !bytes.Equal(hash, sum[:4]) {
		return nil, fmt.Errorf("vkey %q is not of a cosigner", vkey)
	}
	return &cosigner{parts[0], binary.BigEndian.Uint32(hash), material[1:]}, nil
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }

func (c *cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(sig)
	text := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, msg)
	return ed25519.Verify(c.key, []byte(text), sig[8:])
}

func openCheckpoint(signed []byte, trusted note.Verifiers, found *report) (tlog.Tree, []string, error) {
	opened, err := note.Open(signed, trusted)
	if err != nil {
		return tlog.Tree{}, nil, err
	}
	names := []string{}
	for _, each := range opened.Sigs {
		names = append(names, each.Name)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return tlog.Tree{}, nil, errors.New("not three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, nil, err
	}
	hash, err := tlog.ParseHash(lines[2])
	found.Origin = lines[0]
	return tlog.Tree{N: size, Hash: hash}, names, err
}

// A tileFolder reads tiles where a site has them, and notes Go's own name of each.
type tileFolder struct {
	folder string
	seen   map[string]tlogTileShape
}

func (t *tileFolder) Height() int                     { return height }
func (t *tileFolder) SaveTiles([]tlog.Tile, [][]byte) {}
func (t *tileFolder) path(rest string) string         { return filepath.Join(t.folder, "tile", rest) }
func (t *tileFolder) ReadTiles(all []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range all {
		// Go's path begins with the height, which C2SP's leaves out: it is always 8.
		name := strings.TrimPrefix(tile.Path(), "tile/8/")
		t.seen["tile/"+name] = tlogTileShape{tile.L, tile.N, tile.W}
		read, err := os.ReadFile(t.path(name))
		if err != nil {
			return nil, err
		}
		data = append(data, read)
	}
	return data, nil
}

func (t *tileFolder) records(bundle int64, width int) ([][]byte, error) {
	tile := tlog.Tile{H: height, L: -1, N: bundle, W: width}
	name := strings.Replace(tile.Path(), "tile/8/data/", "entries/", 1)
	data, err := os.ReadFile(t.path(name))
	if err != nil {
		return nil, err
	}
	var records [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("%s: broken off", name)
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		records, data = append(records, data[2:end]), data[end:]
	}
	if len(records) != width {
		return nil, fmt.Errorf("%s: %d records", name, len(records))
	}
	return records, nil
}

func checkTree(tree tlog.Tree, tiles *tileFolder, found *report) error {
	found.Inclusion, found.Consistency = map[int64][]string{}, map[int64][]string{}
	hashes := tlog.TileHashReader(tree, tiles)
	for start := int64(0); start < tree.N; start += 1 << height {
		records, err := tiles.records(start>>height, int(min(1<<height, tree.N-start)))
		if err != nil {
			return err
		}
		for i, record := range records {
			if err := checkLeaf(tree, hashes, start+int64(i), record, found); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkLeaf(tree tlog.Tree, hashes tlog.HashReader, leaf int64, record []byte, found *report) error {
	inclusion, err := tlog.ProveRecord(tree.N, leaf, hashes)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(inclusion, tree.N, tree.Hash, leaf, tlog.RecordHash(record)); err != nil {
		return fmt.Errorf("leaf %d: %w", leaf, err)
	}
	old, err := tlog.TreeHash(leaf+1, hashes)
	if err != nil {
		return err
	}
	consistency, err := tlog.ProveTree(tree.N, leaf+1, hashes)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(consistency, tree.N, tree.Hash, leaf+1, old); err != nil {
		return fmt.Errorf("tree of %d leaves: %w", leaf+1, err)
	}
	found.Records++
	found.Inclusion[leaf] = texts(inclusion)
	found.Consistency[leaf+1] = texts(consistency)
	return nil
}

func texts(proof []tlog.Hash) []string {
	shown := []string{}
	for _, hash := range proof {
		shown = append(shown, hash.String())
	}
	return shown
}

// checkProofFiles checks every proof file on its own, without the tiles.
func checkProofFiles(folder string, trusted note.Verifiers, articles note.Verifier, found *report) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".tlog-proof") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		leaf, err := checkProof(string(data), trusted, articles)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		name, err := filepath.Rel(folder, path)
		found.Proofs[filepath.ToSlash(name)] = leaf
		return err
	})
}

func checkProof(data string, trusted note.Verifiers, articles note.Verifier) (int64, error) {
	head, signed, ok := strings.Cut(data, "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 3 || lines[0] != proofMagic {
		return 0, errors.New("not a proof")
	}
	record, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return 0, err
	}
	leaf, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return 0, err
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return 0, err
		}
		proof = append(proof, hash)
	}
	tree, _, err := openCheckpoint([]byte(signed), trusted, &report{})
	if err != nil {
		return 0, err
	}
	if _, err := note.Open(record, note.VerifierList(articles)); err != nil {
		return 0, fmt.Errorf("record: %w", err)
	}
	return leaf, tlog.CheckRecord(proof, tree.N, tree.Hash, leaf, tlog.RecordHash(record))
}
