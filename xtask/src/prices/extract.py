"""Turns the wheel of the PyPI package genai-prices into Weir's price catalogue.

usage: extract.py WHEEL CATALOGUE LICENSE

Reads the package's data as text: nothing in the wheel is imported or run. What the catalogue has no word for is left
out, and counted in a report on stdout: an unknown price is better than a wrong one.
"""

import ast
import collections
import hashlib
import json
import os
import re
import sys
import zipfile
from decimal import ROUND_HALF_EVEN, Decimal

# Prices by token class: the package's name, ours.
CLASSES = {
    "input_mtok": "input",
    "cache_read_mtok": "cached_input",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "audio_input",
    "input_image_mtok": "image_input",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "output_audio_mtok": "audio_output",
    "output_image_mtok": "image_output",
}
# Fees by the thousand; ours are by the million, as tokens are.
FEES = {"web_searches_kcount": "search", "requests_kcount": "request"}
# Prices that can be left out of a row: fees for a tool the caller may use, and finer splits of a class we count as one.
SIDE_PRICES = {
    "storage_searches_kcount": "fees for file searches",
    "cache_audio_read_mtok": "cached audio (priced as cached text)",
    "cache_image_read_mtok": "cached images (priced as cached text)",
}
# Video in the input; harmless for embeddings, which are texts in OpenAI's dialect.
MEDIA_INPUT = {"input_video_mtok"}
# Variants of a price, by what they depend on: the service tier a call was served at.
SERVICES = {"service_tier", "processing", "speed"}
# What Weir's built-in provider charges, so that the demo has costs to show.
DEMO = [
    {"model": "demo-small", "input": 150_000_000, "cached_input": 75_000_000, "output": 600_000_000},
    {"model": "demo-large", "input": 2_000_000_000, "cached_input": 500_000_000, "output": 8_000_000_000},
    {"model": "demo-embed", "input": 20_000_000},
]

# Which models are a provider's own, where the package says it in a rule that patterns cannot say.
OWN_MODELS = {
    "mistral": "mistral codestral devstral magistral ministral mixtral pixtral voxtral open-mistral open-mixtral labs-",
}

left_out = collections.Counter()


def leave_out(what):
    left_out[what] += 1


# --- reading the package's data: a list literal of constructor calls


def value_of(node):
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List):
        return [value_of(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {value_of(key): value_of(item) for key, item in zip(node.keys, node.values)}
    if isinstance(node, ast.Attribute):
        return ast.unparse(node)
    if isinstance(node, ast.Call):
        return call_of(node)
    raise SystemExit(f"the package's data hold what this script does not read: {ast.unparse(node)[:200]}")


def call_of(node):
    name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
    words = [value_of(word) for word in node.args]
    fields = {word.arg: value_of(word.value) for word in node.keywords}
    if name == "Decimal":
        return Decimal(words[0])
    if name == "date":
        return "{:04}-{:02}-{:02}".format(*words)
    if name == "time":
        if fields.get("tzinfo") != "datetime.UTC" or len(words) > 2:
            raise SystemExit(f"a time that is not of UTC or not of minutes: {ast.unparse(node)}")
        return "{:02}:{:02}".format(*words)
    return {"is": name, **fields}


def providers_of(source):
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and node.target.id == "providers":
            return value_of(node.value)
    raise SystemExit("the package's data hold no list `providers`")


# --- match rules: as patterns in which `*` is any text and `#` a digit


def patterns(rule):
    """The patterns of a rule and those of its exceptions; None when it cannot be said in patterns."""
    kind = rule["is"]
    if kind == "ClauseEquals":
        return [plain(rule["equals"])], []
    if kind == "ClauseStartsWith":
        return [plain(rule["starts_with"]) + "*"], []
    if kind == "ClauseEndsWith":
        return ["*" + plain(rule["ends_with"])], []
    if kind == "ClauseContains":
        return ["*" + plain(rule["contains"]) + "*"], []
    if kind == "ClauseRegex":
        found = expand(rule["regex"])
        return found and (found, [])
    parts = [patterns(part) for part in rule.get("or_") or rule.get("and_")]
    if kind == "ClauseOr":
        return all(parts) and (sum((p[0] for p in parts), []), sum((p[1] for p in parts), []))
    return conjunction(rule["and_"])


def conjunction(parts):
    """`starts with x and is no -tts model`: the one kind of conjunction there is."""
    if len(parts) == 2 and parts[1].get("regex") == "^(?!.*-[tT][tT][sS](?:$|-))":
        base = patterns(parts[0])
        return base and (base[0], ["*-tts", "*-tts-*"])
    return None


def plain(text):
    if re.search(r"[*#]", text):
        raise SystemExit(f"a model name with a wildcard in it: {text}")
    return text.lower()


def expand(regex):
    """The patterns a simple regular expression stands for."""
    if not regex.startswith("^"):
        return None
    found, rest = [""], regex[1:]
    while rest:
        token = re.match(r"\\d\{(\d+)\}|\\d|\\([.\[\]])|\[([-@0-9]+)\]|\(([^()]*)\)\?|\$$|[a-z0-9/=-]", rest)
        if not token:
            return None
        count, escaped, choice, optional = token.groups()
        text = token.group()
        rest = rest[token.end() :]
        if text == "$":
            return found
        if choice:
            found = [head + mark for head in found for mark in choice]
        elif optional is not None:
            inner = expand("^" + optional + "$")
            if inner is None:
                return None
            found = found + [head + tail for head in found for tail in inner]
        else:
            digits = "#" * int(count or 1) if text.startswith("\\d") else None
            found = [head + (digits or escaped or text) for head in found]
    return [head + "*" for head in found]


# --- prices


def nanos(amount):
    scaled = amount * 1_000_000_000
    whole = scaled.to_integral_value(ROUND_HALF_EVEN)
    if scaled != whole:
        left_out["in rows that are kept: what is finer than a nano-dollar per million tokens (rounded)"] += 1
    return int(whole)


def rates_at(prices, start):
    """The prices of all classes above `start` input tokens."""
    rates = {}
    for key, name in CLASSES.items():
        price = prices.get(key)
        if price is None:
            continue
        if isinstance(price, dict):
            reached = [tier for tier in price["tiers"] if tier["start"] <= start]
            price = max(reached, key=lambda tier: tier["start"])["price"] if reached else price["base"]
        rates[name] = nanos(price)
    return rates


def row_of(prices):
    row = rates_at(prices, -1)
    for key, name in FEES.items():
        if prices.get(key) is not None:
            row[name] = nanos(prices[key] * 1000)
    starts = {tier["start"] for price in prices.values() if isinstance(price, dict) for tier in price["tiers"]}
    if starts:
        fees = {name: row[name] for name in FEES.values() if name in row}
        row["tiers"] = [{"above": start, **rates_at(prices, start), **fees} for start in sorted(starts)]
    return row


def is_whole(prices):
    """Whether what the catalogue can say of these prices is enough to name a cost."""
    odd = set(prices) - set(CLASSES) - set(FEES) - set(SIDE_PRICES)
    if not prices:
        leave_out("entries without a price")
        return False
    if odd and not (odd <= MEDIA_INPUT and "output_mtok" not in prices):
        leave_out("prices with a part that is not counted: " + ", ".join(sorted(odd)))
        return False
    if "input_mtok" not in prices and "requests_kcount" in prices:
        leave_out("prices by the call alone")
        return False
    if "input_mtok" not in prices:
        raise SystemExit(f"prices without one for input: {prices}")
    for key, what in SIDE_PRICES.items():
        if key in prices:
            left_out["in rows that are kept: " + what] += 1
    return True


def rows_of(provider, model):
    rule = patterns(model["match"])
    if not rule:
        leave_out("models whose match rule cannot be said in patterns")
        return []
    head = {"provider": provider, "model": model["id"].lower(), "match": sorted(set(rule[0]))}
    if head["match"] == [head["model"]]:
        del head["match"]
    if rule[1]:
        head["except"] = sorted(set(rule[1]))
    conditional = model["prices"]
    if isinstance(conditional, dict):
        conditional = [{"prices": conditional}]
    rows = []
    for entry in conditional or [{"prices": {}}]:
        rows.append({**head, **conditioned(entry)})
    for variant in model.get("price_variants") or []:
        ((key, service),) = variant["when"].items() if len(variant["when"]) == 1 else [(None, None)]
        if service == "default":
            continue  # The standard price itself.
        if key in SERVICES:
            rows.append({**head, "service": service, **conditioned(variant)})
        else:
            leave_out("price variants by " + " and ".join(variant["when"]))
    return with_ids(merged(rows))


def conditioned(entry):
    """One price with the condition under which it holds. What has to be left out keeps a row without prices: there
    the price is unknown, and no older price and no broader rule may stand in for it."""
    prices = {key: price for key, price in entry["prices"].items() if key != "is" and price is not None}
    row = row_of(prices) if is_whole(prices) else {}
    rule = entry.get("constraint")
    if rule is None:
        return row
    if rule["is"] == "StartDateConstraint":
        return {"from": rule["start_date"], **row}
    return {"hours": [[rule["start_time"], rule["end_time"]]], **row}


def merged(rows):
    """Rows with equal prices at different hours of the day become one."""
    kept = []
    for row in rows:
        same = [old for old in kept if "hours" in row and "hours" in old and bare(old) == bare(row)]
        if same:
            same[0]["hours"] += row["hours"]
        else:
            kept.append(row)
    return kept


def bare(row):
    return {key: value for key, value in row.items() if key != "hours"}


def with_ids(rows):
    """An id that changes when anything about the price does: a recorded id never means another price."""
    for row in rows:
        told = {key: value for key, value in row.items() if key not in ("match", "except", "retired")}
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        yield {"id": f"{row['provider']}/{row['model']}#{digest[:8]}", **row}


# --- writing


def provider_row(provider):
    row = {"id": provider["id"]}
    for ours, theirs in (("names", "provider_match"), ("models", "model_match")):
        rule = provider.get(theirs)
        found = patterns(rule) if rule else None
        if ours == "models" and provider["id"] in OWN_MODELS:
            row[ours] = [start + "*" for start in OWN_MODELS[provider["id"]].split()]
        elif found:
            row[ours] = sorted(set(found[0]))
        elif rule:
            leave_out(f"providers' rules for {ours}")
    if provider.get("fallback_model_providers"):
        row["also"] = provider["fallback_model_providers"]
    return row


def lines(rows):
    return ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)


def rows_before(catalogue):
    """The rows of the catalogue as it stands: records keep their ids, so none may vanish."""
    if not os.path.exists(catalogue):
        return []
    with open(catalogue, encoding="utf-8") as old:
        return json.load(old)["prices"]


def main(wheel, catalogue, licence):
    with zipfile.ZipFile(wheel) as archive:
        providers = providers_of(archive.read("genai_prices/data.py").decode())
        [licence_name] = [name for name in archive.namelist() if name.endswith("/LICENSE")]
        licence_text = archive.read(licence_name).decode()
    version = re.search(r"genai_prices-([^-]+)-", wheel).group(1)
    rows = [row for provider in providers for model in provider["models"] for row in rows_of(provider["id"], model)]
    rows += with_ids([{"provider": "demo", **row} for row in DEMO])
    priced = {row["provider"] for row in rows}
    heads = [provider_row(provider) for provider in providers if provider["id"] in priced] + [{"id": "demo"}]
    source = f"genai-prices {version} (https://pypi.org/project/genai-prices), MIT"
    known = {row["id"] for row in rows}
    past = [row for row in rows_before(catalogue) if row["id"] not in known]
    rows += [{**row, "retired": True} for row in past]
    with open(catalogue, "w", encoding="utf-8") as out:
        out.write(f'{{\n"format":1,\n"source":{json.dumps(source)},\n')
        out.write('"unit":"nano-dollars per million tokens",\n')
        out.write(f'"providers":[\n{lines(heads)}\n],\n"prices":[\n{lines(rows)}\n]\n}}\n')
    with open(licence, "w", encoding="utf-8") as out:
        out.write(f"prices.json is converted from {source}.\nIts licence:\n\n{licence_text}")
    print(f"{len(past)} prices hold no longer; they are kept for what was recorded under their ids")
    print(f"{len(rows)} prices of {len(heads)} providers from {source}")
    for what, count in sorted(left_out.items()):
        print(f"  left out {count:>4}  {what}")


if __name__ == "__main__":
    main(*sys.argv[1:])
