"""Writes predicate_table.jsonl: random expressions and what Python makes of them.

The evaluator has to agree with Python on every line. Run it again only to change the table:
    python3 make_predicate_table.py > predicate_table.jsonl
The variables are those of predicate_python_test.cc.
"""

import ast
import json
import random


class Dict(dict):
    """A dict whose missing attributes are None, as dotted access is in the predicate language."""

    def __getattr__(self, name):
        return self.get(name)


VARIABLES = {
    "p": 0.75,
    "n": 7,
    "m": -3,
    "zero": 0,
    "kind": "execute",
    "word": "dΔß",
    "nothing": None,
    "yes": True,
    "items": [1, 2.5, "x", None],
    "doc": Dict(a=1, b=Dict(c=[1, "x"]), s="text"),
}
ATOMS = [
    "p", "n", "m", "zero", "kind", "word", "nothing", "yes", "items", "doc", "doc.a", "doc.missing", "doc.b.c", "doc.s",
    "1", "2", "-4", "10", "0.5", "2.0", "1e3", "'x'", "'exe'", "''", "'Δ'", "True", "False", "None", "[]", "()", "[1, 2]",
    "(1, 'x')", "{'a': 1}", "{}", "['execute', 'other']", "('execute',)",
]  # fmt: skip
BINARY = ["+", "-", "*", "/", "//", "%", "and", "or", "==", "!=", "<", "<=", ">", ">=", "in", "not in"]


def generate(rng, depth):
    if depth == 0 or rng.random() < 0.15:
        return rng.choice(ATOMS)

    def part():
        return generate(rng, depth - 1)

    choice = rng.randrange(12)
    if choice < 5:
        return f"({part()} {rng.choice(BINARY)} {part()})"
    if choice == 5:
        return f"{part()} {rng.choice(['and', 'or'])} {part()} {rng.choice(['and', 'or'])} not {part()}"
    if choice == 6:
        low, mid, high = part(), part(), part()
        return f"({low} {rng.choice(['<', '<=', '==', '!='])} {mid} {rng.choice(['<', '>=', 'in', '=='])} {high})"
    if choice == 7:
        return f"({part()} if {part()} else {part()})"
    if choice == 8:
        return f"({rng.choice(['-', '+', 'not '])}{part()})"
    if choice == 9:
        index = rng.choice(["0", "-1", "1", "2", "'a'", "'s'", "n", ":2", "1:", "::-1", "-2:", "::2", "5:1:-2", ":"])
        return f"({part()})[{index}]"
    if choice == 10:
        return f"({part()} is {rng.choice(['', 'not '])}None)"
    base = rng.choice(["n", "m", "p", "2", "0.5", "zero", "yes", "kind"])
    return f"({base} ** {rng.choice(['2', '3', '-1', '0', 'p', 'm', 'nothing'])})"


def in_scope(tree):
    """False where the languages differ on purpose: big integers, complex numbers, text formatting."""
    for node in ast.walk(tree.body):
        if not isinstance(node, ast.expr):
            continue
        try:
            value = eval(compile(ast.Expression(node), "", "eval"), {}, dict(VARIABLES))
        except Exception:
            continue
        if isinstance(value, complex) or (isinstance(value, int) and abs(value) >= 2**62):
            return False
        if isinstance(value, (str, list, tuple)) and len(value) > 500:
            return False
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            left = eval(compile(ast.Expression(node.left), "", "eval"), {}, dict(VARIABLES))
            if isinstance(left, str):
                return False
    return True


def plain(value):
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(key): plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def main():
    rng = random.Random(20250920)
    seen = set()
    errors = 0
    while len(seen) < 1500:
        text = generate(rng, rng.choice([1, 2, 2, 3]))
        if text in seen or len(text) > 160:
            continue
        tree = ast.parse(text, mode="eval")
        try:
            value = eval(compile(tree, "", "eval"), {}, dict(VARIABLES))
            line = {"e": text, "v": plain(value)}
        except Exception:
            errors += 1
            if errors > 400:  # the interesting lines are those with a value
                continue
            line = {"e": text, "error": True}
        if not in_scope(tree):
            continue
        seen.add(text)
        print(json.dumps(line, ensure_ascii=False))


main()
