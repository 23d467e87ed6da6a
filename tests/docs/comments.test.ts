// All that an entry exports says what it is.
import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { expect, it } from 'vitest';

const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: Record<string, { types?: string }> };
const entries = Object.entries(exports).flatMap(([name, { types }]) => (types && !name.includes('*') ? [{ name, types }] : []));

it('every export of every entry has a comment', () => {
  const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, types: [], noLib: true };
  const program = ts.createProgram(entries.map(({ types }) => types), options);
  const checker = program.getTypeChecker();
  const isDocumented = (symbol: ts.Symbol) => symbol.getDocumentationComment(checker).length > 0;
  const real = (symbol: ts.Symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
  const exported = entries.flatMap(({ name, types }) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(types)!)!;
    return checker.getExportsOfModule(module).map((symbol) => ({ name: `${name}: ${symbol.name}`, symbol: real(symbol) }));
  });
  expect(exported.length).toBeGreaterThan(100);
  expect(exported.filter(({ symbol }) => !isDocumented(symbol)).map(({ name }) => name)).toEqual([]);
});
