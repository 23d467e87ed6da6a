// What every entry exports beside what createStonechat binds to its host.
export { StonechatError, type ErrorCode, type ErrorDetails } from '../errors.js';
export type { ByteSource } from '../files/types.js';
export type { Build, HostSettings, KernelCode, KernelSet, OpenOptions, Progress } from '../host/host.js';
export type {
  Alternative, AppendOptions, ChatMessage, Estimate, Finish, GenerateOptions, Generation, LoadOptions, LogitsOptions, LoraSource, Model, ModelInfo, PrefillProgress, ScoreOptions, Session, Source, SourceFile, Summary, Token,
} from '../generate/types.js';
export type { WorkerLoadOptions, WorkerModel, WorkerTextStream, WorkerTokenizer } from '../remote/types.js';
export type { EncodeAsyncOptions, EncodeOptions, TextStream, Tokenizer } from '../text/types.js';
export { greedy, logitBias, minP, penalties, temperature, topK, topP, typicalP } from '../sample/index.js';
export type { Candidates, Constraint, History, Penalties, Sampler } from '../sample/index.js';
