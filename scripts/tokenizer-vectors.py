#!/usr/bin/env python3
"""Random tokenizer.json files with what Python's `tokenizers` makes of random texts.

  python scripts/tokenizer-vectors.py COUNT SEED OUT.jsonl [MOST BYTES]

A line each: {"name", "tokenizer", "cases": [{text, ids, special, decoded, skipped}]}; the named ones first.
tests/text/rules.jsonl is `24 1 tests/text/rules.jsonl 6000`; tests/text/rules.test.ts holds the package against it.
"""
import json, random, sys
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = ["Hello world, the quick brown fox don't jump.", "it's a wording of words; naïve café über", "мир Привет мира", "世界 こんにちは 한국어", "x = 1; y=23.45 ### don't", "the the Hello  Hello", "camelCase HTTPServer 3.14", "a b c d e f"] * 3
WORDS = ["Hello", " world", "the", "мир", "Привет", "世界", "naïve", "e\u0301", "½", "  ", "\n", "\t", "\r\n", "don't", "'ll", "x1", "12345", "3.14", "...", "!!!", "#", "##", "tok1", "<x>", "<s>", "</s>", "<unk>", "<mask>", "[CLS]", "a", " a", "_", "▁", "Ġ", "İ", "ß", "ﬁ", "ｶﾞ", "🙂", "👨‍👩‍👧", "\u200b", "\u00a0", "\u3000", "한국어", "हिन्दी", "مرحبا", "ǅ", "Σας", "wording", "words", "word", "-", ".", "|", "<pad>", "\u0301", "\ufeff"]
CONTENTS = ["<x>", "the", "Hello", " a", "tok1", "мир", "wording", "[CLS]", "▁", "é", "  ", "do", "##s", "世"]


def text(r):
    out = ""
    for _ in range(r.randint(1, 12)):
        out += r.choice(WORDS) + r.choice(["", "", " ", " ", "  "])
    return out


def normalizer(r, depth=0):
    kind = r.choice(["none", "none", "nfc", "nfd", "nfkc", "nfkd", "lower", "strip", "accents", "bert", "replace", "replace", "prepend", "bytes", "nmt", "llama", "seq", "seq"] if depth == 0 else ["nfc", "nfd", "nfkc", "nfkd", "lower", "strip", "accents", "bert", "replace", "prepend", "nmt"])
    n = normalizers
    return {
        "none": lambda: None, "nfc": n.NFC, "nfd": n.NFD, "nfkc": n.NFKC, "nfkd": n.NFKD, "lower": n.Lowercase, "accents": n.StripAccents, "nmt": n.Nmt, "bytes": n.ByteLevel,
        "strip": lambda: n.Strip(left=r.random() < 0.7, right=r.random() < 0.7),
        "bert": lambda: n.BertNormalizer(clean_text=r.random() < 0.8, handle_chinese_chars=r.random() < 0.7, strip_accents=r.choice([None, True, False]), lowercase=r.random() < 0.5),
        "replace": lambda: n.Replace(*r.choice([(" ", "▁"), ("a", ""), ("'", "’"), (Regex(r"\s+"), " "), (Regex("[0-9]"), "#"), (Regex(" {2,}"), "▁"), (Regex(r"\p{P}"), "")])),
        "prepend": lambda: n.Prepend(r.choice(["▁", " ", "x"])),
        "llama": lambda: n.Sequence([n.Prepend("▁"), n.Replace(" ", "▁")]),
        "seq": lambda: n.Sequence([x for x in [normalizer(r, 1) for _ in range(r.randint(1, 3))] if x]),
    }[kind]()


def pre(r, depth=0):
    p = pre_tokenizers
    kind = r.choice(["none", "bytes", "meta", "meta", "white", "whitesplit", "bert", "digits", "punct", "split", "split", "delimiter", "scripts", "seq", "seq", "seq", "fixed"] if depth == 0 else ["bytes", "meta", "white", "whitesplit", "bert", "digits", "punct", "split", "delimiter", "scripts"])
    behaviour = r.choice(["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"])
    return {
        "none": lambda: None,
        "bytes": lambda: p.ByteLevel(add_prefix_space=r.random() < 0.4, use_regex=r.random() < 0.7),
        "meta": lambda: p.Metaspace(replacement=r.choice("▁▁▁_"), prepend_scheme=r.choice(["always", "first", "never"]), split=r.random() < 0.6),
        "white": p.Whitespace, "whitesplit": p.WhitespaceSplit, "bert": p.BertPreTokenizer, "scripts": p.UnicodeScripts,
        "digits": lambda: p.Digits(individual_digits=r.random() < 0.5), "punct": lambda: p.Punctuation(behavior=behaviour),
        "split": lambda: p.Split(r.choice([" ", "a", Regex(r"\s+"), Regex(r"\p{N}{1,3}"), Regex("[一-龥]+"), Regex(r" ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+"), Regex("(?i:'s|'t|'ll)")]), behaviour, invert=r.random() < 0.3),
        "delimiter": lambda: p.CharDelimiterSplit(r.choice(" .-")), "fixed": lambda: p.FixedLength(r.choice([2, 5])),
        "seq": lambda: p.Sequence([x for x in [pre(r, 1) for _ in range(r.randint(1, 3))] if x]),
    }[kind]()


def decoder(r, depth=0):
    d = decoders
    kind = r.choice(["none", "bytes", "meta", "wordpiece", "bpe", "ctc", "llama", "seq", "seq"] if depth == 0 else ["meta", "wordpiece", "replace", "fallback", "fuse", "strip", "bytes", "ctc"])
    return {
        "none": lambda: None, "bytes": d.ByteLevel, "meta": lambda: d.Metaspace(replacement=r.choice("▁▁_"), prepend_scheme=r.choice(["always", "first", "never"])),
        "wordpiece": lambda: d.WordPiece(prefix="##", cleanup=r.random() < 0.5), "bpe": lambda: d.BPEDecoder(suffix="</w>"), "ctc": lambda: d.CTC(cleanup=r.random() < 0.5),
        "replace": lambda: d.Replace(*r.choice([("▁", " "), ("a", "b"), (Regex(r"\s+"), " ")])), "fallback": d.ByteFallback, "fuse": d.Fuse,
        "strip": lambda: d.Strip(r.choice(" a"), r.randint(0, 2), 0),
        "llama": lambda: d.Sequence([d.Replace("▁", " "), d.ByteFallback(), d.Fuse(), d.Strip(" ", 1, 0)]),
        "seq": lambda: d.Sequence([x for x in [decoder(r, 1) for _ in range(r.randint(1, 4))] if x]),
    }[kind]()


def model(r):
    """An empty model of some kind and its trainer."""
    specials = ["<unk>", "<s>", "</s>", "<mask>"]
    if r.random() < 0.3: specials += [f"<0x{b:02X}>" for b in range(256)]
    unk = r.choice(["<unk>", None])
    kind = r.choice(["bpe", "bpe", "bpe", "unigram", "wordpiece", "wordlevel"])
    size = r.choice([60, 150, 300]) + len(specials)
    alphabet = pre_tokenizers.ByteLevel.alphabet() if r.random() < 0.4 else []
    if kind == "bpe":
        more = {}
        if r.random() < 0.2: more["continuing_subword_prefix"] = "##"
        if r.random() < 0.3: more["end_of_word_suffix"] = "</w>"
        return models.BPE(unk_token=unk, fuse_unk=r.random() < 0.5, byte_fallback=len(specials) > 4 and r.random() < 0.8, ignore_merges=r.random() < 0.3), trainers.BpeTrainer(vocab_size=size + len(alphabet), special_tokens=specials, initial_alphabet=alphabet, show_progress=False, **more), specials
    if kind == "unigram":
        return models.Unigram(), trainers.UnigramTrainer(vocab_size=size, special_tokens=specials, unk_token="<unk>", show_progress=False), specials
    if kind == "wordpiece":
        return models.WordPiece(unk_token="<unk>", max_input_chars_per_word=r.choice([6, 100])), trainers.WordPieceTrainer(vocab_size=size, special_tokens=specials, show_progress=False), specials
    return models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(vocab_size=size, special_tokens=specials, show_progress=False), specials


def processor(r):
    p = processors
    return r.choice([lambda: None, lambda: p.ByteLevel(), lambda: p.BertProcessing(("</s>", 2), ("<s>", 1)), lambda: p.RobertaProcessing(("</s>", 2), ("<s>", 1)),
                     lambda: p.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 1), ("</s>", 2)]),
                     lambda: p.Sequence([p.ByteLevel(), p.TemplateProcessing(single="$A </s> </s>", pair="$A $B", special_tokens=[("</s>", 2)])])])()


def tokenizer(r):
    made, trainer, specials = model(r)
    t = Tokenizer(made)
    n, p = normalizer(r), pre(r)
    if n: t.normalizer = n
    if p: t.pre_tokenizer = p
    t.train_from_iterator(CORPUS, trainer)
    if r.random() < 0.5:
        d = decoder(r)
        if d: t.decoder = d
    else:
        t.decoder = r.choice([decoders.ByteLevel(), decoders.Metaspace(), decoders.WordPiece()])
    x = processor(r)
    if x: t.post_processor = x
    t.add_tokens([AddedToken(content, single_word=r.random() < 0.4, lstrip=r.random() < 0.4, rstrip=r.random() < 0.4, normalized=r.random() < 0.5, special=r.random() < 0.3) for content in r.sample(CONTENTS, r.randint(0, 4))])
    return t


def cases(t, samples):
    out = []
    for sample in samples:
        ids = t.encode(sample, add_special_tokens=False).ids
        special = t.encode(sample, add_special_tokens=True).ids
        out.append({"text": sample, "ids": ids, "special": special, "decoded": t.decode(ids, skip_special_tokens=False) if ids else "", "skipped": t.decode(special) if special else ""})
    return out


def make(seed):
    r = random.Random(seed)
    made = json.loads(tokenizer(r).to_str())
    return {"name": f"random {seed}", "tokenizer": made, "cases": cases(Tokenizer.from_str(json.dumps(made)), [text(r) for _ in range(10)])}


def added(content, id, **more):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False, **more}


def named():
    """What was read wrong once, by name."""
    letters = {c: i + 3 for i, c in enumerate("▁abcdehlorwx<>' ")}
    words = [["h", "e"], ["l", "l"], ["he", "ll"], ["hell", "o"], ["▁", "hello"], ["w", "o"], ["wo", "r"]]
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2, **letters}
    for left, right in words: vocab[left + right] = len(vocab)
    bpe = {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": False, "vocab": vocab, "merges": words}
    llama = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
    back = {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    size = len(vocab)
    samples = ["hello", "hello hello", "he'llo hello", "<x> hello <x>hello", "hello<x>", "  <x>  hello", "", " ", "abc abc", "wor<x>", "h<x>e", "é<x>é", "hello<s>"]
    meta = {"type": "Metaspace", "replacement": "_", "prepend_scheme": "always", "split": True}
    under = {k.replace("▁", "_"): v for k, v in vocab.items()}
    plain = {"normalizer": llama, "pre_tokenizer": None, "decoder": back, "model": bpe, "added_tokens": []}
    alphabet = {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    return {
        "Llama's, with a normalized token": {**plain, "added_tokens": [added("<x>", size, normalized=True), added("<s>", 1, normalized=True, special=True)]},
        "a normalized token of its own": {**plain, "added_tokens": [added("<x>", size, normalized=True, single_word=True)]},
        "lstrip and rstrip": {**plain, "added_tokens": [added("<x>", size, lstrip=True, rstrip=True), added(" h", size + 1)]},
        "single_word beside letters that are not ASCII": {**plain, "added_tokens": [added("<x>", size, single_word=True)]},
        "without an unknown token": {**plain, "normalizer": None, "model": {**bpe, "unk_token": None, "fuse_unk": False}},
        "ignore_merges by word": {**plain, "normalizer": None, "pre_tokenizer": {"type": "WhitespaceSplit"}, "model": {**bpe, "ignore_merges": True, "vocab": {**vocab, "abc": size}}},
        "Metaspace with a mark of its own": {**plain, "normalizer": None, "pre_tokenizer": meta, "decoder": meta, "model": {**bpe, "vocab": under, "merges": [[a.replace("▁", "_"), b] for a, b in words]}},
        "Replace before byte level": {**plain, "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}, "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}, "model": {"type": "BPE", "vocab": alphabet, "merges": []}},
        "end_of_word_suffix": {**plain, "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "WhitespaceSplit"}, "decoder": {"type": "BPEDecoder", "suffix": "</w>"}, "model": {**bpe, "end_of_word_suffix": "</w>", "vocab": {**vocab, "o</w>": size, "hello</w>": size + 1}, "merges": words[:3] + [["hell", "o</w>"]]}},
        "continuing_subword_prefix": {**plain, "normalizer": None, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}, "model": {"type": "BPE", "unk_token": "<unk>", "continuing_subword_prefix": "##", "vocab": {"<unk>": 0, "h": 1, "##e": 2, "he": 3, "##l": 4, "##ll": 5, "hell": 6, "##o": 7}, "merges": [["h", "##e"], ["##l", "##l"], ["he", "##ll"]]}},
        "WordLevel": {**plain, "normalizer": None, "pre_tokenizer": {"type": "Whitespace"}, "decoder": None, "model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": {"<unk>": 0, "hello": 1, "abc": 2}}},
    }, samples


def main():
    count, seed, path, most = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else 10**9
    done = 0
    with open(path, "w", encoding="utf-8") as out:
        write = lambda row: out.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
        tokenizers, samples = named()
        for name, made in tokenizers.items():
            made = {"version": "1.0", "truncation": None, "padding": None, "post_processor": None, **made}
            write({"name": name, "tokenizer": made, "cases": cases(Tokenizer.from_str(json.dumps(made)), samples)})
        while done < count:
            seed += 1
            try:
                row = make(seed)
            except BaseException as error:  # what panics in Rust has no right answer
                if isinstance(error, KeyboardInterrupt): raise
                continue
            if len(json.dumps(row["tokenizer"])) > most: continue
            write(row)
            done += 1


main()
