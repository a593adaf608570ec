"""Texts that somebody will send one day: samples of scripts and of every class of awkward character."""

__all__ = ["SAMPLES"]

_CONTROLS = [chr(point) for point in (*range(0x20), *range(0x7F, 0xA0))]
_FORMATS = [chr(point) for point in (
    0xA0, 0xAD, 0x034F, 0x061C, 0x115F, 0x180E, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2028, 0x2029, 0x202A, 0x202B,
    0x202C, 0x202D, 0x202E, 0x2060, 0x2066, 0x2067, 0x2068, 0x2069, 0x206A, 0x2800, 0x3000, 0x3164, 0xFE00, 0xFE0F,
    0xFEFF, 0xFFF9, 0xFFFC, 0xFFFD, 0xE0001, 0xE0041, 0xE0100,
)]  # fmt: skip
_PRIVATE = ["\ue000", "\uf8ff", "\U000f0000", "\U0010fffd"]
_NONCHARACTERS = ["\ufdd0", "\ufdef", "\ufffe", "\uffff", "\U0001fffe", "\U0010ffff"]
_UNASSIGNED = ["\u0378", "\U000e0fff", "\U0003fffd"]
_SCRIPTS = [
    "Grüße, naïve façade", "Ελληνικά", "Кириллица", "Հայերեն", "עברית", "العربية", "ܣܘܪܝܝܐ", "हिन्दी", "বাংলা", "தமிழ்",
    "తెలుగు", "മലയാളം", "ไทย", "ລາວ", "မြန်မာ", "ქართული", "አማርኛ", "ᏣᎳᎩ", "ខ្មែរ", "ᠮᠣᠩᠭᠣᠯ", "日本語", "ひらがなカタカナ",
    "한국어", "中文", "བོད་ཡིག", "Tiếng Việt", "𐤀𐤁𐤂", "𓀀𓂀", "𝔘𝔫𝔦", "ﷺ", "ǅǆ", "ßẞıİ",
]  # fmt: skip
_COMPOSED = [
    "e\u0301", "\u00e9", "Z" + "\u0301\u0316" * 20, "👩‍👩‍👧‍👦", "👟🏽", "🏳️‍🌈", "🇦🇹", "1️⃣",
    "\u202eevil\u202c", "\u2066x\u2069", "\r\n", "\t \v\f",
]  # fmt: skip
_SYNTAX = [
    "'", '"', "\\", "\\n", "\\u0000", "`", "$(x)", "{{x}}", "%00", "%s", "<script>alert(1)</script>", "&amp;", "\\N",
    "NULL", "'; DROP TABLE events.valid_events; --", "/* */", "{}", "[]", "a\tb", "=1+1", "x" * 100,
]  # fmt: skip

SAMPLES = (
    "", " ", *_CONTROLS, *_FORMATS, *_PRIVATE, *_NONCHARACTERS, *_UNASSIGNED, *_SCRIPTS, *_COMPOSED, *_SYNTAX,
)  # fmt: skip
"""Each fits into every text field, also with a letter before and after it."""
