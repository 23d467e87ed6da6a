// `stonechat/judge`: how good a model is, and when to trust it. Works on any model that `load` gave.
export * from '../judge/index.js';
