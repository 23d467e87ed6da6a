// Names that the declarations use where neither the libraries of browsers nor @types/node declare them. Where they do, these merge.
declare namespace WebAssembly {
  interface Module {}
  interface Memory {}
}
