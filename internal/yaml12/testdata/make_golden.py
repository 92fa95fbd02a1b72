#!/usr/bin/env python
"""Write the goldens of Emit and Scalar with the YAML library that DVC uses.

    <python of an environment with dvc> make_golden.py [--random N] [--seed S]

writes emit.golden.json and scalar.golden.json beside this script. Values are
JSON with {"$float": "inf"} for what JSON lacks and {"$map": [[key, value]]}
for maps whose keys are not all text.
"""

import argparse
import datetime
import json
import math
import pathlib
import random

from dvc.utils.serialize._yaml import dumps_yaml, loads_yaml

MD5 = "0123456789abcdef0123456789abcdef"


def stage(n, **more):
    out = {
        "cmd": f"python src/stage_{n}.py --seed {n}",
        "deps": [
            {"path": f"data/{n}", "hash": "md5", "md5": MD5 + ".dir", "size": 12 * n, "nfiles": 3},
            {"path": f"src/stage_{n}.py", "hash": "md5", "md5": "12e45678901234567890123456789012", "size": 7},
        ],
        "params": {
            "params.yaml": {"lr": 0.01, "layers": [1, 2, [3]], "name": None, "train": {"a": {"b": True}}, "e": [], "m": {}},
            "other.json": {"a.b": "yes", "c": "01", "d": 1e-5, "e": 1.0},
        },
        "outs": [{"path": f"model_{n}.bin", "hash": "md5", "md5": "11111111111111111111111111111111", "size": 3, "isexec": True}],
    }
    out.update(more)
    return out


STRINGS = """
a|a b|yes|no|on|off|On|y|true|True|tRue|false|null|Null|~|nan|inf|.inf|.Inf|.nan|-.inf|+.inf|-.nan
0|1|-1|+1|01|08|010|0o10|0o8|0x1f|0xG|0b1|0b2|1_000|_1|1_|1.0|1.|.5|.5e5|.5e+5|1e5|1e-5|1E5|1e|e5|12e4567|1.2.3|-|--|---|--- a|...|...a|.|..|+|-a|- a|-_|._
2024-01-02|2024-1-2|2024-01-02T10:00:00Z|2024-01-02 10:00:00|12:30:45|1:30|1:30.5|<<|=|==|=a
#a|a#b|a #b|# a|a: b|a:b|a:|:a|: a|:|?|? a|?a|a ?|,a|a,b|[a|a]|{a|a}|&a|*a|!a|! a|>a|'a|a'b|"a|a"b|%a|@a|`a|\\|\\n|a\\b
 a|a |  a|a  | |  |a  b|http://x:80/y|s3://bucket/key|C:\\x|a\u00e9b|\u00e9|\u4e2d\u6587|\U0001f600|\u00a0|\u200b|\u2028|a\u2028b|\ufeff|\ufeffa|\x7f|\x80|\x9f|\x1b[0m
12e45678901234567890123456789012|01234567890123456789012345678901|1e345678901234567890123456789012|00000000000000000000000000000000|0x234567890123456789012345678901ab
""".strip("\n").replace("\n", "|").encode("utf-8").decode("utf-8").split("|")

LONG = [
    "python train.py --learning-rate 0.01 --epochs 100 --batch-size 32 --data data/train.csv --out model.bin",
    "python -c 'import sys; print(sys.argv)' --alpha 1 --beta 2 --gamma 3 --delta 4 --epsilon 5 --zeta 6",
    'python -c "import sys; print(sys.argv)" --alpha 1 --beta 2 --gamma 3 --delta 4 --epsilon 5 --zeta 6',
    "echo one\necho two\necho three\n",
    "set -e\npython train.py --learning-rate 0.01 --epochs 100 --batch-size 32 && \\\n  python eval.py --all --of --it\n",
    "for i in 1 2 3; do\n  echo \"$i\"\n  python x.py --index $i --some-long-option with-some-value --another option\ndone\n",
    "a: " + "word " * 40 + "end",
    "it's: " + "word " * 40 + "end",
    "x" * 79, "x" * 80, "x" * 81, "x" * 200, "x" * 78 + " y", "x" * 200 + " " + "y" * 200,
    "word  " * 30 + "end", "word " * 30, "é" * 70 + " é é é é é é é é é", "# " + "word " * 30 + "x",
    "tab\there " * 20 + "x", "back\\slash\there " * 20 + "x", "a\u2028b " * 30, "'q' " * 40 + "x", "\n" * 100, " \n" * 60, "x \n" * 60,
    "\"q\" " * 40 + "\n", "a b" + " " * 90 + "c", "a\n" + "b " * 80 + "\n c",
]


def curated():
    for s in STRINGS + LONG:
        yield {"k": s}
        yield [s]
        yield {"a": {"b": [{"path": s}, [s]]}}
        yield {s: 1}
        yield {"stages": {"x": {"cmd": s, "params": {"params.yaml": {s: s}}}}}
    for v in [None, True, False, 0, -1, 10**30, 1.0, -0.0, 0.1, 1e-5, 1e16, 1e15, 123456789.123, 1.5e300, 5e-324,
              math.inf, -math.inf, math.nan, [], {}, "", [None], {"": ""}, {"a": None}]:
        yield {"k": v, "l": [v, v], "m": {"n": v}}
        yield [v, [v, [v]], {"a": v, "b": [v]}]
        if not isinstance(v, (list, dict)):
            yield v
    yield {None: 1, True: 2, 1.5: 3, 7: 4, math.inf: 5}
    yield [[[]], [{}], [[1, 2], [3]], [{"a": [[1], {"b": [2]}]}]]
    for n in (122, 123, 124, 127, 128, 200):
        yield {"k" * n: 1, "l" * n: [1, {"a": 2}], "m" * n: {"a": [1]}, "n" * n: "v" * 100, "o" * n: None}
        yield [{"é" * n: "x"}, {"k " * (n // 2) + "k": {"a": 1}}]
    yield {"a\nb": {"c": 1}, "d\te": [1]}
    yield {"schema": "2.0", "stages": {f"s{n}": stage(n) for n in range(3)}}
    yield {"schema": "2.0", "stages": {"multi@a": stage(1, cmd=["echo 1", "echo '2'", LONG[0], LONG[3]]), "no": stage(2, cmd=LONG[5])}}
    yield {"outs": [{"md5": MD5, "size": 18, "isexec": True, "hash": "md5", "path": "s.sh"}]}
    yield {"md5": MD5, "frozen": True, "deps": [{"path": "x", "repo": {"url": "git@github.com:a/b", "rev_lock": "1e5"}}], "outs": []}


PIECES = ["a", "b1", "word", "x=y", "--opt", "é", "中", "😀", "'", '"', "\\", ":", ": ", " #", "#", ",", "[", "{", "&", "-", "- ", "?",
          "\n", "\n\n", "\n  ", "\t", " ", "  ", "   ", "\u00a0", "\x1b", "\r", "1", "0.5", "w" * 30, "w" * 90]


def text(r):
    kind = r.random()
    if kind < 0.2:
        return "".join(r.choice(PIECES) for _ in range(r.randint(1, 6)))
    if kind < 0.6:
        return " ".join("w" * r.randint(1, 14) for _ in range(r.randint(1, 40)))
    pool = r.sample(PIECES, r.randint(1, 8)) + ["word", " ", "cmd", " "]
    return "".join(r.choice(pool) for _ in range(r.randint(1, 120)))


def nested(r, depth=0):
    kind = r.random()
    if depth > 4 or kind < 0.5:
        return r.choice([text(r), text(r), text(r), r.randint(-5, 10**9), r.random() * 10 ** r.randint(-20, 20), True, None, [], {}])
    if kind < 0.75:
        return [nested(r, depth + 1) for _ in range(r.randint(1, 4))]
    return {(text(r) if r.random() < 0.2 else f"k{i}"): nested(r, depth + 1) for i in range(r.randint(1, 4))}


def plain(v):
    """The value as JSON can hold it."""
    if isinstance(v, float) and not math.isfinite(v):
        return {"$float": str(v)}
    if isinstance(v, list):
        return [plain(x) for x in v]
    if isinstance(v, dict):
        if all(isinstance(k, str) for k in v):
            return {k: plain(x) for k, x in v.items()}
        return {"$map": [[plain(k), plain(x)] for k, x in v.items()]}
    return v


def unshared(v):
    """A copy in which no object occurs twice, for which anchors would be made."""
    if isinstance(v, list):
        return [unshared(x) for x in v]
    if isinstance(v, dict):
        return {k: unshared(x) for k, x in v.items()}
    return v


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return a == b or a != a and b != b
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return len(a) == len(b) and all(same(x, y) and same(a[x], b[y]) for x, y in zip(a, b))
    return a == b


def lossless(v, out):
    """Whether DVC reads back what it wrote."""
    try:
        return same(loads_yaml(out), v)
    except Exception:
        return False


SCALARS = STRINGS + """
NULL|nUll|TRUE|FALSE|fALSE|NO|-0|+0|0_0|00|0b_|0o_|0x_|-0x1F|+0b11|0B1|0O7|0X1|1__0|9223372036854775807|9223372036854775808|-9223372036854775808
1.5e3|1.5E+3|-1.5|+1.5|1_0.5_0|1._|-.5|+.5e-3|1e400|-1e400|1e-400|.INF|-.INF|.NaN|.NAN|1.5e|1e+|1e5.|1 2|1,5
2024-01-02t10:00:00|2024-01-02 1:00:00.5 +01:00|2024-01-02T10:00|2024-01-02x|20240102|2024-01-02T10:00:00+1|2024-01-02T10:00:00 Z|2024-01-02  10:00:00-05:30
""".strip("\n").replace("\n", "|").split("|")


def scalars():
    for s in dict.fromkeys(SCALARS):
        if not s or s != s.strip() or any(c < " " or c > "~" for c in s) or s[0] in "#,[]{}&*!|>'\"%@`?:-" and not s[1:2].isdigit():
            continue
        try:
            v = loads_yaml("k: " + s + "\n")["k"]
        except Exception:
            continue  # not a scalar, or one on which the library fails
        if isinstance(v, (datetime.date, datetime.datetime)):
            v = {"$time": s}
        elif not isinstance(v, (str, int, float, bool, type(None))):
            continue
        elif ": " in s or " #" in s:
            continue
        yield [s, plain(v)]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--random", type=int, default=120)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--only-random", action="store_true")
    p.add_argument("--dir", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    args = p.parse_args()
    r = random.Random(args.seed)
    values = [] if args.only_random else list(curated())
    values += [{"k": text(r)} if i % 2 else nested(r) for i in range(args.random)]
    lines, seen = [], set()
    for v in values:
        v = unshared(v)
        try:
            out = dumps_yaml(v)
        except Exception:
            continue
        line = json.dumps([plain(v), out, lossless(v, out)])
        if line not in seen:
            seen.add(line)
            lines.append(line)
    (args.dir / "emit.golden.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    lines = [json.dumps(x) for x in scalars()]
    (args.dir / "scalar.golden.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
