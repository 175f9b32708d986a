"""What the finished wheel asks of the image it is installed into: nothing beyond a stock Ray image (Ubuntu 22.04)."""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.sections import SymbolTableSection

FOLDER = Path(os.environ.get("SEEDCORE_WHEELS", Path(__file__).parents[2] / "build" / "wheel"))
# Ubuntu 22.04 has glibc 2.35 and the libstdc++ of GCC 12.
NEWEST = {"GLIBC": (2, 35), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13), "GCC": (12,), "OPENSSL": (3, 0, 0)}
OF_THE_IMAGE = re.compile(r"(lib(c|m|gcc_s|stdc\+\+|ssl|crypto)\.so\.\d+|ld-linux-[a-z0-9-]+\.so\.\d+)")
KERBEROS_AND_LDAP = re.compile(r"lib(pq|krb5|k5crypto|gssapi|ldap|lber|sasl2|gnutls|ffi|p11-kit)")


@pytest.fixture(scope="module")
def wheel() -> Path:
    wheels = sorted(FOLDER.glob("seedcore-*.whl"))
    assert len(wheels) == 1, f"expected one wheel in {FOLDER}: {wheels}"
    return wheels[0]


@pytest.fixture(scope="module")
def libraries(wheel: Path) -> dict[str, ELFFile]:
    with zipfile.ZipFile(wheel) as archive:
        return {
            Path(name).name: ELFFile(io.BytesIO(archive.read(name)))
            for name in archive.namelist()
            if re.search(r"\.so(\.|$)", name)
        }


def needed_by(library: ELFFile) -> Iterator[str]:
    for section in library.iter_sections():
        if isinstance(section, DynamicSection):
            yield from (tag.needed for tag in section.iter_tags("DT_NEEDED"))  # type: ignore[attr-defined]


def versions_of(library: ELFFile) -> Iterator[str]:
    for section in library.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for _, versions in section.iter_versions():
                yield from (version.name for version in versions)


def test_the_tag_promises_ubuntu_22(wheel: Path) -> None:
    assert re.search(r"-manylinux_2_35_(x86_64|aarch64)\.whl$", wheel.name), wheel.name


def test_it_needs_only_what_the_image_has_and_what_it_brings(libraries: dict[str, ELFFile]) -> None:
    missing = {
        f"{name} needs {needed}"
        for name, library in libraries.items()
        for needed in needed_by(library)
        if needed not in libraries and not OF_THE_IMAGE.fullmatch(needed)
    }
    assert not missing


def test_libpq_is_inside_and_brings_neither_kerberos_nor_ldap(libraries: dict[str, ELFFile]) -> None:
    assert not [name for name in libraries if KERBEROS_AND_LDAP.match(name)]


def test_no_symbol_is_newer_than_the_image(libraries: dict[str, ELFFile]) -> None:
    newer = []
    for name, library in libraries.items():
        for version in versions_of(library):
            family, _, number = version.partition("_")
            assert family in NEWEST, f"{name} needs {version}, of which the image is not known"
            if tuple(int(part) for part in number.split(".")) > NEWEST[family]:
                newer.append(f"{name} needs {version}")
    assert not newer


def test_the_module_shows_nothing_but_its_entry_point(libraries: dict[str, ELFFile]) -> None:
    (module,) = (library for name, library in libraries.items() if name.startswith("_core."))
    symbols = module.get_section_by_name(".dynsym")
    assert isinstance(symbols, SymbolTableSection)
    shown = [
        s.name for s in symbols.iter_symbols() if s["st_shndx"] != "SHN_UNDEF" and s["st_info"]["bind"] != "STB_LOCAL"
    ]
    assert shown == ["PyInit__core"]
