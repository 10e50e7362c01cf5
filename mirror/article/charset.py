"""A page's bytes to text, by the evidence that browsers use."""

import codecs
import re

_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_READ_AS = {
    # The encoding standard's wider sets under the names that pages write.
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "iso-8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "x-sjis": "cp932",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "big5": "big5hkscs",
}
_KNOWN = re.compile(
    r"(?:cp|windows-)?(?:125[0-8]|866|874|932|949)|iso-8859-\d+|koi8-[ru]|gb18030|big5hkscs|"
    r"euc-jp|iso-2022-jp|tis-620|mac-?cyrillic\Z"
)
"""Only these: Python would also decode `utf-7`, in which a tag hides from every check."""


def decoded(page: bytes, content_type: str) -> str:
    """Return the text of `page`; bytes that fit no encoding become U+FFFD.

    A byte order mark decides; then UTF-8 if all bytes are (text in another encoding never is
    by accident); then the header, the page's own word, and at last windows-1252.
    """
    for bom, name in _BOMS:
        if page.startswith(bom):
            return page[len(bom) :].decode(name, "replace")
    try:
        return page.decode("utf-8")
    except UnicodeDecodeError:
        pass
    for declared in (content_type, page[:2048].decode("latin-1")):
        match = _CHARSET.search(declared)
        if match:
            return page.decode(_codec(match[1].lower()), "replace")
    return page.decode("cp1252", "replace")


def _codec(label: str) -> str:
    name = _READ_AS.get(label, label)
    if name in ("utf-8", "utf8"):
        return "utf-8"
    if not _KNOWN.fullmatch(name):
        return "cp1252"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "cp1252"
