#!/usr/bin/env python3
"""What Python's tokenizers (Rust) make of every code point and of random strings, as checksums: tests/text/data/unicode.json.

    python3 -m venv /tmp/ref && /tmp/ref/bin/pip install tokenizers==0.23.3
    /tmp/ref/bin/python scripts/unicode-vectors.py

`pages`: for each rule the CRC-32 of what it makes of 4096 code points, each between "a" and "b"; the words of a pre-tokenizer are joined by "|". `strings`: a text and the CRC-32 for each of `rules`.
`graphemes`: a Precompiled map of the letter a alone, which takes the place of a whole grapheme below six bytes.
"""
import base64, json, random, struct, sys, zlib
import tokenizers
from tokenizers import normalizers as N, pre_tokenizers as P

OUT = sys.argv[1] if len(sys.argv) > 1 else 'tests/text/data/unicode.json'
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 600

def only_a():
    units = [0] * 2048
    units[0] = 256 << 10
    units[256 ^ 0x61] = 0x61 | 1 << 8 | 1024 << 10
    units[256 ^ 0x61 ^ 1024] = 0x80000000
    return struct.pack('<I2048I', 4 * len(units), *units) + b'X\0'

def bert(**flags):
    return {'type': 'BertNormalizer', **{'clean_text': False, 'handle_chinese_chars': False, 'strip_accents': False, 'lowercase': False, **flags}}

NORMALIZERS = {name: {'type': name} for name in ['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'Nmt']} | {
    'clean': bert(clean_text=True), 'chinese': bert(handle_chinese_chars=True), 'accents': bert(strip_accents=True), 'lower': bert(lowercase=True),
    'bert': bert(clean_text=True, handle_chinese_chars=True, strip_accents=True, lowercase=True),
    'strip': {'type': 'Strip', 'strip_left': True, 'strip_right': True},
    'graphemes': {'type': 'Precompiled', 'precompiled_charsmap': base64.b64encode(only_a()).decode()},
}
PRE_TOKENIZERS = {
    'Punctuation': {'type': 'Punctuation', 'behavior': 'Isolated'}, 'BertPreTokenizer': {'type': 'BertPreTokenizer'}, 'WhitespaceSplit': {'type': 'WhitespaceSplit'},
    'Whitespace': {'type': 'Whitespace'}, 'Digits': {'type': 'Digits', 'individual_digits': True}, 'UnicodeScripts': {'type': 'UnicodeScripts'},
}

def tokenizer(**parts):
    empty = {'version': '1.0', 'added_tokens': [], 'normalizer': None, 'pre_tokenizer': None, 'post_processor': None, 'decoder': None,
             'model': {'type': 'WordLevel', 'vocab': {'u': 0}, 'unk_token': 'u'}}
    return tokenizers.Tokenizer.from_str(json.dumps(empty | parts))

def rules():
    for name, rule in NORMALIZERS.items():
        yield name, tokenizer(normalizer=rule).normalizer.normalize_str
    for name, rule in PRE_TOKENIZERS.items():
        step = tokenizer(pre_tokenizer=rule).pre_tokenizer
        yield name, lambda text, step=step: '|'.join(word for word, _ in step.pre_tokenize_str(text))

crc = lambda text: zlib.crc32(text.encode('utf-8'))
scalar = lambda code: not 0xD800 <= code < 0xE000

def pages(rule):
    for page in range(0, 0x110000, 4096):
        yield crc(rule(''.join('a' + chr(code) + 'b' for code in range(page, page + 4096) if scalar(code))))

def strings(count, every):
    """Code points that some rule changes, letters, marks, jamos and syllables of Hangul, in every order."""
    forms = N.NFKD()
    changed = [code for code in range(0x30000) if scalar(code) and forms.normalize_str(chr(code)) != chr(code) and not 0xAC00 <= code < 0xD7A4]
    marks = [code for code in range(0x20000) if scalar(code) and N.NFD().normalize_str('a\u0345' + chr(code)) != 'a\u0345' + chr(code)]
    one = lambda: random.choice([
        lambda: random.choice(changed), lambda: random.choice(marks), lambda: random.choice([0x300, 0x301, 0x323, 0x327, 0x345, 0x3099]), lambda: random.randrange(0x1100, 0x1200),
        lambda: random.randrange(0xAC00, 0xD7A4), lambda: random.randrange(0x41, 0x7B), lambda: random.randrange(0xC0, 0x250), lambda: random.randrange(0x900, 0xE00),
        lambda: random.choice([0x20, 0x61, 0xA0, 0x200D, 0x3A3, 0x130, 0x1F469, 0x1F1E6, 0x94D, 0xD, 0xA]), lambda: random.choice(every),
    ])()
    for _ in range(count):
        yield ''.join(chr(one()) for _ in range(random.randrange(1, 14)))

def main():
    random.seed(16)
    every = [code for code in range(0x20000) if scalar(code)]
    named = list(rules())
    found = {'tokenizers': tokenizers.__version__, 'normalizers': NORMALIZERS, 'pre_tokenizers': PRE_TOKENIZERS}
    found['pages'] = {name: list(pages(rule)) for name, rule in named}
    found['strings'] = [[text, *(crc(rule(text)) for _, rule in named)] for text in strings(COUNT, every)]
    lines = ',\n'.join(f'{json.dumps(key)}: {json.dumps(value, separators=(",", ":"))}' for key, value in found.items())
    with open(OUT, 'w') as file:
        file.write('{\n' + lines + '\n}\n')

main()
