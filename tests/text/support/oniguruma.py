"""Random patterns as Python's tokenizers (Oniguruma) cuts by them: python oniguruma.py SEED COUNT > ../data/oniguruma.jsonl"""
import json, random, sys
from tokenizers import pre_tokenizers, Regex
rnd=random.Random(int(sys.argv[1])); N=int(sys.argv[2])
sets=r'''\w \W \d \D \s \S \h \H \p{L} \p{Lu} \p{Ll} \p{N} \p{M} \p{P} \p{S} \p{^L} \P{L} \p{Han} \p{Greek} \p{Alphabetic} \p{Upper} \p{Word} [a-z] [^a-z] [abc] [^abc\n] [[:alpha:]] [[:punct:]] [^[:space:]] [[:^digit:]] [a-z&&[^aeiou]] [\w&&[^\d]] [\p{L}\p{M}] [^\s\p{L}\p{N}] [a-c[x-z]] [\-\]a] . \N \O a b c é ß ' - \  \t \n \x41 \x{e9} \R [\r\n] [一-龥] s k'''.split(' ')
sets=[s for s in sets if s]+[' ']
words=["the","ss","ab","'s","st","ffi","É","ſ","ΣΑΣ","don't"]
quant=['','','','','*','+','?','*?','+?','??','*+','++','?+','{2}','{1,3}','{2,}','{,2}','{1,2}?','{2,}?','{2}?','{1,2}+','{3,1}','{0,2}','+?*','*+?','??+']
anch=[r'\b',r'\B','^','$',r'\A',r'\z',r'\Z']
def atom(d):
    r=rnd.random()
    if d<=0 or r<0.62: return rnd.choice(sets)
    if r<0.68: return '(?:'+rnd.choice(words)+')'
    if r<0.76: return '(?i:'+alt(d-1)+')'
    if r<0.80: return '(?>'+alt(d-1)+')'
    if r<0.84: return rnd.choice(['(?m:','(?x: ','(?i-m:','(?<n>','('])+alt(d-1)+')'
    return '(?:'+alt(d-1)+')'
def item(d):
    r=rnd.random()
    if r<0.06: return rnd.choice(anch)
    if r<0.10: return rnd.choice(['(?=','(?!'])+alt(d-1 if d>0 else 0)+')'
    if r<0.14: return rnd.choice(['(?<=','(?<!'])+rnd.choice([rnd.choice(sets),rnd.choice(sets)+rnd.choice(sets),'a|bc','^','\\b','ab|'+rnd.choice(sets),rnd.choice(sets)+'+',rnd.choice(sets)+'{1,2}'])+')'
    return atom(d)+rnd.choice(quant)
def seq(d): return ''.join(item(d) for _ in range(rnd.choice([1,1,1,2,2,3,4])))
def alt(d): return '|'.join(seq(d) for _ in range(rnd.choice([1,1,2,3])))
alphabet=list("aabbcczxyzABCSKk  \t\n\r'’-_.,!?1239٣①²½éÉßẞſsﬁﬃﬆσςΣΑαİıi̇漢字一ひカ한हिन्\u0301\u200d\u00a0\u3000\u0085🙂👍🏽\u2028e") + ["the","ss","'s","don't","ST","ffi","\r\n","ab","abc"]
def text():
    return ''.join(rnd.choice(alphabet) for _ in range(rnd.randint(0,28)))
beh=['isolated','removed','merged_with_previous','merged_with_next','contiguous']
out=0
while out<N:
    p=alt(rnd.choice([0,1,1,2,2,3]))
    if len(p)>100: continue
    if rnd.random()<0.05: p='(?i)'+p
    if rnd.random()<0.03: p=p+'(?i)'+seq(1)
    b=rnd.choice(beh); inv=rnd.random()<0.3
    try: s=pre_tokenizers.Split(Regex(p),b,invert=inv)
    except BaseException as e:
        continue
    for _ in range(2):
        t=text()
        try: r=[x[0] for x in s.pre_tokenize_str(t)]
        except BaseException: continue
        print(json.dumps({'pattern':p,'behavior':b,'invert':inv,'text':t,'pieces':r},ensure_ascii=False)); out+=1
