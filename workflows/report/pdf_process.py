"""The process that makes one PDF: HTML on its standard input, the PDF on its standard output.

It is bounded by the kernel: too much memory or time ends this process and nothing else. What it may take fits
beside its role into MemoryMax of `deploy/systemd/rollcall-jobs.service`. It fetches nothing but its own
fonts, which come with it: a server without fonts would print empty pages.
"""

from __future__ import annotations

import resource
import sys
from importlib.resources import files
from io import BytesIO

import plutoprint

MEMORY_BYTES = 96 * 1024 * 1024  # of its data: the pages of libraries are given back when memory is short
CPU_SECONDS = 60
_FONTS = {400: "SourceSansPro-Regular.ttf", 600: "SourceSansPro-Semibold.ttf"}
_SCHEME = "font:"
_STYLE = "".join(
    f'@font-face {{ font-family: "Source Sans Pro"; font-weight: {weight};'
    f' src: url({_SCHEME}{name}) format("truetype"); }}'
    for weight, name in _FONTS.items()
)


class BundledFonts(plutoprint.ResourceFetcher):
    """Gives the fonts and refuses every other address."""

    def fetch_url(self, url: str) -> plutoprint.ResourceData:
        """The font that `url` names. Raises: ValueError."""
        name = url.removeprefix(_SCHEME)
        if name not in _FONTS.values():
            raise ValueError("a report fetches nothing")
        font = files("font_source_sans_pro") / "files" / name
        return plutoprint.ResourceData(font.read_bytes(), "font/ttf", "")


def pdf_of(html: str) -> bytes:
    """The PDF of `html`, whose own style names the size of its pages."""
    book = plutoprint.Book(plutoprint.PAGE_SIZE_A4, plutoprint.PAGE_MARGINS_NONE, plutoprint.MEDIA_TYPE_PRINT)
    book.custom_resource_fetcher = BundledFonts()
    book.load_html(html, user_style=_STYLE)
    printed = BytesIO()
    book.write_to_pdf_stream(printed)
    return printed.getvalue()


def main() -> None:
    """Print what comes in."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    # At the hard limit the kernel sends SIGKILL, which says nothing of the reason.
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    sys.stdout.buffer.write(pdf_of(sys.stdin.buffer.read().decode()))


if __name__ == "__main__":
    main()
