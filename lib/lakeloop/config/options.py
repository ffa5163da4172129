"""Spark's options of raw files: a name that Spark does not know is passed over without a word, so it is compared."""

from __future__ import annotations

import difflib

_KNOWN = (
    "sep", "delimiter", "encoding", "charset", "quote", "escape", "comment", "header", "inferSchema",
    "preferDate", "enforceSchema", "ignoreLeadingWhiteSpace", "ignoreTrailingWhiteSpace", "nullValue", "nanValue",
    "positiveInf", "negativeInf", "dateFormat", "timestampFormat", "timestampNTZFormat",
    "enableDateTimeParsingFallback", "maxColumns", "maxCharsPerColumn", "mode", "columnNameOfCorruptRecord",
    "multiLine", "charToEscapeQuoteEscaping", "samplingRatio", "emptyValue", "locale", "lineSep",
    "unescapedQuoteHandling", "compression", "escapeQuotes", "quoteAll", "timeZone", "primitivesAsString",
    "prefersDecimal", "allowComments", "allowUnquotedFieldNames", "allowSingleQuotes", "allowNumericLeadingZeros",
    "allowBackslashEscapingAnyCharacter", "allowUnquotedControlChars", "allowNonNumericNumbers",
    "dropFieldIfAllNull", "wholetext", "mergeSchema", "datetimeRebaseMode", "int96RebaseMode", "pathGlobFilter",
    "recursiveFileLookup", "modifiedBefore", "modifiedAfter", "basePath", "ignoreCorruptFiles",
    "ignoreMissingFiles", "maxFilesPerTrigger", "maxBytesPerTrigger", "latestFirst", "badRecordsPath",
)  # fmt: skip
# What other readers of CSV call what Spark has, or what the source itself says.
_ELSEWHERE = {
    "separator": "Spark calls it sep",
    "quotechar": "Spark calls it quote",
    "escapechar": "Spark calls it escape",
    "na_values": "the source's own key missing says which texts stand for a missing value",
    "decimal": "an expression of the column reads decimal commas, see docs/recipes.md",
    "thousands": "an expression of the column reads thousands marks, see docs/recipes.md",
}


def hint(name: str) -> str:
    """What is meant by an option that Spark does not know, where that can be told; else nothing, for platforms have
    options of their own."""
    lower = name.lower()
    known = {option.lower(): option for option in _KNOWN}
    if lower in known:
        return ""
    if near := difflib.get_close_matches(lower, _ELSEWHERE, n=1, cutoff=0.85):
        return _ELSEWHERE[near[0]]
    near = difflib.get_close_matches(lower, known, n=1, cutoff=0.8)
    return f"did you mean '{known[near[0]]}'?" if near else ""
