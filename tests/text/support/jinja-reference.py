# Renders programs by Python's Jinja2 in transformers' chat-template environment: one JSON {"template", "variables"} a line in, one
# {"output"} or {"error"} a line out. The environment is that of transformers/utils/chat_template_utils.py, so that only Jinja2 is needed.
import functools, json, sys
import jinja2, jinja2.ext, jinja2.nodes
from datetime import datetime
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_through"), [], [], body).set_lineno(line)

    def _through(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
env.filters["tojson"] = tojson
env.globals["raise_exception"] = raise_exception
env.globals["strftime_now"] = lambda pattern: datetime.fromisoformat("2025-07-10T12:00:00").strftime(pattern)

# Jinja compiles to Python, which takes longer than most renderings.
compiled = functools.lru_cache(maxsize=None)(env.from_string)

for line in sys.stdin:
    row = json.loads(line)
    try:
        print(json.dumps({"output": compiled(row["template"]).render(**row["variables"])}))
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
