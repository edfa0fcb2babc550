"""The process that renders one PDF: HTML on standard input, the PDF on standard output.

The kernel enforces its memory and time limits: exceeding one ends this process alone. Beside its role, it
fits into MemoryMax of `deploy/systemd/rollcall-jobs.service`. It loads only its bundled fonts: a server
without fonts would render empty pages.
"""

from __future__ import annotations

import resource
import sys
from importlib.resources import files
from io import BytesIO

import plutoprint

MEMORY_BYTES = 96 * 1024 * 1024  # for its data: library pages are reclaimed when memory is short
CPU_SECONDS = 60
_FONTS = {400: "SourceSansPro-Regular.ttf", 600: "SourceSansPro-Semibold.ttf"}
_SCHEME = "font:"
_STYLE = "".join(
    f'@font-face {{ font-family: "Source Sans Pro"; font-weight: {weight};'
    f' src: url({_SCHEME}{name}) format("truetype"); }}'
    for weight, name in _FONTS.items()
)


class BundledFonts(plutoprint.ResourceFetcher):
    """Serves the bundled fonts and refuses every other address."""

    def fetch_url(self, url: str) -> plutoprint.ResourceData:
        """Return the font that `url` names. Raises: ValueError."""
        name = url.removeprefix(_SCHEME)
        if name not in _FONTS.values():
            raise ValueError("a report fetches nothing")
        font = files("font_source_sans_pro") / "files" / name
        return plutoprint.ResourceData(font.read_bytes(), "font/ttf", "")


def pdf_of(html: str) -> bytes:
    """Return the PDF of `html`, whose style sets the page size."""
    book = plutoprint.Book(plutoprint.PAGE_SIZE_A4, plutoprint.PAGE_MARGINS_NONE, plutoprint.MEDIA_TYPE_PRINT)
    book.custom_resource_fetcher = BundledFonts()
    book.load_html(html, user_style=_STYLE)
    printed = BytesIO()
    book.write_to_pdf_stream(printed)
    return printed.getvalue()


def main() -> None:
    """Render standard input."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    # At the hard limit the kernel sends SIGKILL, which leaves no reason.
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    sys.stdout.buffer.write(pdf_of(sys.stdin.buffer.read().decode()))


if __name__ == "__main__":
    main()
