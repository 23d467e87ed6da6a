"""Makes llama-cpp.json anew: what llama.cpp's own samplers do to given logits.

    npm pack @node-llama-cpp/linux-x64@3.22.1 && tar xzf node-llama-cpp-linux-x64-*.tgz   (llama.cpp v0.5.0)
    LD_LIBRARY_PATH=package/bins/linux-x64 python3 llama-cpp.py package/bins/linux-x64 models/default.gguf llama-cpp.json

The model lends its tokenizer to DRY's sequence breakers; no weights are read.
"""
import ctypes
import json
import math
import random
import struct
import sys
from ctypes import POINTER, Structure, byref, c_bool, c_char_p, c_float, c_int32, c_int64, c_size_t, c_uint32, c_void_p

folder, model_path, output = sys.argv[1:4]
for name in ('libggml-base.so', 'libggml.v0.5.0.so'):
    ctypes.CDLL(f'{folder}/{name}', mode=ctypes.RTLD_GLOBAL)
llama = ctypes.CDLL(f'{folder}/libllama.v0.5.0.so')


class Entry(Structure):
    _fields_ = [('id', c_int32), ('logit', c_float), ('p', c_float)]


class Entries(Structure):
    _fields_ = [('data', POINTER(Entry)), ('size', c_size_t), ('selected', c_int64), ('sorted', c_bool)]


class ModelParams(Structure):
    _fields_ = [('devices', c_void_p), ('overrides', c_void_p), ('n_gpu_layers', c_int32), ('split', c_int32), ('load', c_int32),
                ('lazy', c_int32), ('main_gpu', c_int32), ('tensor_split', c_void_p), ('progress', c_void_p), ('progress_data', c_void_p),
                ('kv_overrides', c_void_p), ('vocab_only', c_bool), ('flags', c_bool * 15)]


def bind(name, result, *arguments):
    function = getattr(llama, name)
    function.restype, function.argtypes = result, list(arguments)
    return function


apply = bind('llama_sampler_apply', None, c_void_p, POINTER(Entries))
accept = bind('llama_sampler_accept', None, c_void_p, c_int32)
top_k = bind('llama_sampler_init_top_k', c_void_p, c_int32)
top_p = bind('llama_sampler_init_top_p', c_void_p, c_float, c_size_t)
min_p = bind('llama_sampler_init_min_p', c_void_p, c_float, c_size_t)
typical = bind('llama_sampler_init_typical', c_void_p, c_float, c_size_t)
dynamic = bind('llama_sampler_init_temp_ext', c_void_p, c_float, c_float, c_float)
xtc = bind('llama_sampler_init_xtc', c_void_p, c_float, c_float, c_size_t, c_uint32)
sigma = bind('llama_sampler_init_top_n_sigma', c_void_p, c_float)
mirostat = bind('llama_sampler_init_mirostat_v2', c_void_p, c_uint32, c_float, c_float)
dry = bind('llama_sampler_init_dry', c_void_p, c_void_p, c_float, c_float, c_int32, c_int32, POINTER(c_char_p), c_size_t)
bind('llama_log_set', None, c_void_p, c_void_p)
quiet = ctypes.CFUNCTYPE(None, c_int32, c_char_p, c_void_p)(lambda *_: None)
llama.llama_log_set(quiet, None)

params = bind('llama_model_default_params', ModelParams)()
params.vocab_only = True
model = bind('llama_model_load_from_file', c_void_p, c_char_p, ModelParams)(model_path.encode(), params)
vocab = bind('llama_model_get_vocab', c_void_p, c_void_p)(model)
vocabulary = bind('llama_vocab_n_tokens', c_int32, c_void_p)(vocab)


def tokenize(text):
    out = (c_int32 * 1000)()
    data = text.encode()
    function = bind('llama_tokenize', c_int32, c_void_p, c_char_p, c_int32, POINTER(c_int32), c_int32, c_bool, c_bool)
    return list(out[:function(vocab, data, len(data), out, 1000, False, False)])


def entries(logits):
    data = (Entry * len(logits))(*[Entry(i, x, 0) for i, x in enumerate(logits)])
    return Entries(data, len(logits), -1, False), data


def alive(array):
    return [array.data[i] for i in range(array.size) if array.data[i].logit > -math.inf]


def kept(array):
    return sorted(entry.id for entry in alive(array))


def probabilities(array):
    """By id, from the logits that are left, in f64."""
    live = alive(array)
    most = max(entry.logit for entry in live)
    powers = {entry.id: math.exp(entry.logit - most) for entry in live}
    total = sum(powers.values())
    return [[i, round(powers[i] / total, 9)] for i in sorted(powers)]


def f32(x):
    return struct.unpack('f', struct.pack('f', x))[0]


def after(sampler, logits):
    array, data = entries(logits)
    apply(sampler, byref(array))
    return array, data


numbers = random.Random(14)
LOGITS = [[f32(round(numbers.gauss(0, spread) + (6 if numbers.random() < 0.1 else 0), 4)) for _ in range(40)] for spread in (0.5, 2, 5)]
LOGITS.append([f32(5.0), f32(5.0), f32(4.9), f32(1.0), f32(-3.0)])
LOGITS.append([f32(1.5)])

golden = {'logits': LOGITS, 'sigma': [], 'xtc': [], 'dynamic': [], 'mirostat': [], 'dry': [], 'chains': []}
for at, logits in enumerate(LOGITS):
    for n in (0.3, 1, 2, 4):
        array, data = after(sigma(n), logits)
        golden['sigma'].append({'logits': at, 'n': n, 'kept': kept(array)})
    for threshold in (0.0, 0.02, 0.1, 0.3, 0.5):
        array, data = after(xtc(1, threshold, 0, 1), logits)
        golden['xtc'].append({'logits': at, 'threshold': threshold, 'kept': kept(array)})
    for degree, spread, exponent in ((0.8, 0.5, 1), (1, 1, 2), (0.5, 0.5, 0.5), (1.2, 0.3, 0), (1, 0, 1)):
        array, data = after(dynamic(degree, spread, exponent), logits)
        golden['dynamic'].append({'logits': at, 'degree': degree, 'range': spread, 'exponent': exponent, 'probabilities': probabilities(array)})

for tau, eta in ((5, 0.1), (1, 0.3), (2.5, 1)):
    sampler, steps = mirostat(7, tau, eta), []
    for step in range(24):
        array, data = after(sampler, LOGITS[step % 4])
        chosen = array.data[array.selected]
        steps.append({'logits': step % 4, 'kept': kept(array), 'id': chosen.id, 'probability': round(chosen.p, 9)})
    golden['mirostat'].append({'tau': tau, 'eta': eta, 'steps': steps})

STORY = 'The cat sat on the mat. The cat sat on the hat: "a cat, a hat, a mat". The cat sat on the'
LIST = 'one\ntwo\nthree\none\ntwo\nthree\none\ntwo\n'
HISTORIES = [tokenize(STORY), tokenize(LIST), tokenize('ha ha ha ha ha ha ha ha ha'), [5, 6, 7, 5, 6, 7, 5, 6], [9] * 30, [1, 2], [400]]
HISTORIES += [[numbers.randrange(300, 303) for _ in range(120)] for _ in range(3)]
BREAKERS = [['\n', ':', '"', '*'], [], ['the', ' cat'], ['at on', '. T'], ['e']]
KINDS = [(0.8, 1.75, 2, 64), (1, 2, 1, 1000), (0.5, 1, 3, 200), (2, 4, 2, 1000), (0.8, 1.75, 0, 20)]
for at, history in enumerate(HISTORIES):
    for breakers in BREAKERS:
        for kind in KINDS:
            texts = (c_char_p * max(1, len(breakers)))(*[text.encode() for text in breakers])
            sampler = dry(vocab, *kind, texts, len(breakers))
            for token in history:
                accept(sampler, token)
            array, data = after(sampler, [0.0] * vocabulary)
            penalties = [[data[i].id, round(-data[i].logit, 6)] for i in range(vocabulary) if data[i].logit != 0]
            multiplier, base, allowed, last = kind
            golden['dry'].append({'history': at, 'breakers': breakers, 'multiplier': multiplier, 'base': base, 'allowedLength': allowed, 'penaltyLastN': last, 'penalties': penalties})

for at in (0, 1, 2):
    for cut, nucleus, least, chance in ((40, 0.95, 0.05, 1), (12, 0.9, 0.0, 1), (30, 1, 0.02, 0)):
        sampler_dry = dry(vocab, 0.8, 1.75, 2, 64, None, 0)
        history = [3, 4, 5, 3, 4, 5, 3, 4]
        for token in history:
            accept(sampler_dry, token)
        array, data = entries(LOGITS[at])
        for sampler in (sampler_dry, sigma(2), top_k(cut), typical(0.98, 0), top_p(nucleus, 0), min_p(least, 0), xtc(chance, 0.1, 0, 1), dynamic(0.8, 0.4, 1)):
            apply(sampler, byref(array))
        golden['chains'].append({'logits': at, 'history': history, 'topK': cut, 'topP': nucleus, 'minP': least, 'xtc': chance, 'probabilities': probabilities(array)})

golden['histories'] = HISTORIES
golden['vocabulary'] = vocabulary
with open(output, 'w') as file:
    lines = (f'{json.dumps(name)}: ' + (f'[\n{(chr(44) + chr(10)).join(json.dumps(row) for row in value)}\n]' if isinstance(value, list) else json.dumps(value)) for name, value in golden.items())
    file.write('{\n' + ',\n'.join(lines) + '\n}\n')
