"""The store, migrated in two lines: the modules that it imports are back, and it is unchanged.

python store_installed.py
"""

from framer_adapters import asynchat

asynchat.install(force=True)  # before anything imports the old ones, if there are any

import store_server  # noqa: E402 - now it finds what it imports

if __name__ == "__main__":
    store_server.main()
