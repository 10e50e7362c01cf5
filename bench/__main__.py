"""What it costs, beside what others cost: `python -m bench [PART…]`.

Processor time, not wall clock: a busy machine does not change it much. Exits 0 whatever it finds.
"""

import sys

from bench import audit, bulk, daemon, dag, fetch, one, pages, serve, source, stores
from bench.table import show

PARTS = {
    "bulk": bulk.run,
    "one": one.run,
    "audit": audit.run,
    "serve": serve.run,
    "pages": pages.run,
    "daemon": daemon.run,
    "dag": dag.run,
    "source": source.run,
    "fetch": fetch.run,
    "stores": stores.run,
}


def main() -> None:
    """Print one table for each part that the command line names, or for all."""
    for name in sys.argv[1:] or PARTS:
        show(name, PARTS[name]())


if __name__ == "__main__":
    main()
