"""What pydantic finds wrong with a value, in words for people who write TOML: by the type of the fault."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

_LIST: Final = "must be a list: [...], or for a table that may stand many times [[...]] above each"

SHAPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "missing": "is missing",
        "tuple_type": _LIST,
        "frozen_set_type": _LIST,
        "model_type": "must be a table, with its keys below its name in brackets",
        "string_type": 'must be a text, in quotes: "..."',
        "path_type": 'must be a path, in quotes: "..."',
        "too_short": "must have at least 1 entry",
    }
)
"""What stands in place of another kind of value, where pydantic's words would be those of Python."""

_LIST_ZH: Final = "须为列表:[...];可以出现多次的表,每个上方写 [[...]]"
_TEXT_ZH: Final = '须为文本,写在引号内:"..."'
_WHOLE_ZH: Final = "须为整数"
_NUMBER_ZH: Final = "须为数值"
_DATE_ZH: Final = "须为日期,例如 2026-11-22"
_MOMENT_ZH: Final = "须为带时区的时间,例如 2026-11-22T00:00:00+08:00"
_DIGITS_ZH: Final = "位数过多"

_ZH: Final[Mapping[str, str]] = MappingProxyType(
    {
        "missing": "缺少该项",
        "extra_forbidden": "未知的键",
        "tuple_type": _LIST_ZH,
        "frozen_set_type": _LIST_ZH,
        "set_item_not_hashable": "须为简单的值,不能是列表或表",
        "model_type": "须为表:表名写在方括号内,其下逐行写键",
        "model_attributes_type": "须为表:表名写在方括号内,其下逐行写键",
        "dict_type": "须为表:表名写在方括号内,其下逐行写键",
        "string_type": _TEXT_ZH,
        "string_unicode": _TEXT_ZH,
        "string_sub_type": _TEXT_ZH,
        "path_type": '须为路径,写在引号内:"..."',
        "string_too_short": "至少须有 {min_length} 个字符",
        "string_too_long": "至多可有 {max_length} 个字符",
        "string_pattern_mismatch": "须符合格式 {pattern}",
        "too_short": "至少须有 {min_length} 项",
        "too_long": "至多可有 {max_length} 项",
        "greater_than": "须大于 {gt}",
        "greater_than_equal": "不能小于 {ge}",
        "less_than": "须小于 {lt}",
        "less_than_equal": "不能大于 {le}",
        "int_type": _WHOLE_ZH,
        "int_parsing": _WHOLE_ZH,
        "int_parsing_size": _DIGITS_ZH,
        "int_from_float": "须为整数,不能带小数",
        "float_type": _NUMBER_ZH,
        "float_parsing": _NUMBER_ZH,
        "decimal_type": _NUMBER_ZH,
        "decimal_parsing": _NUMBER_ZH,
        "decimal_max_digits": "至多可有 {max_digits} 位数字",
        "decimal_max_places": "至多可有 {decimal_places} 位小数",
        "decimal_whole_digits": "小数点前至多可有 {whole_digits} 位",
        "finite_number": "须为有限的数值",
        "bool_type": "须为 true 或 false",
        "bool_parsing": "须为 true 或 false",
        "literal_error": "须为以下之一:{expected}",
        "enum": "须为以下之一:{expected}",
        "union_tag_invalid": "{discriminator} 须为以下之一:{expected_tags}",
        "union_tag_not_found": "缺少 {discriminator}",
        "date_type": _DATE_ZH,
        "date_parsing": _DATE_ZH,
        "date_from_datetime_parsing": _DATE_ZH,
        "date_from_datetime_inexact": f"不能带时刻,{_DATE_ZH}",
        "datetime_type": _MOMENT_ZH,
        "datetime_parsing": _MOMENT_ZH,
        "datetime_object_invalid": _MOMENT_ZH,
        "datetime_from_date_parsing": _MOMENT_ZH,
    }
)
"""By type of fault; limits come from what pydantic tells of it."""


def in_chinese(kind: str, told: Mapping[str, Any]) -> str:
    """What a fault is; empty: nobody has said it in Chinese.

    Args:
        kind: its type, as pydantic calls it.
        told: what pydantic tells of it beside: limits, and what was expected.

    """
    choices = str(told.get("expected", "")).replace(" or ", "、").replace(", ", "、")
    return _ZH.get(kind, "").format_map({**told, "expected": choices})
