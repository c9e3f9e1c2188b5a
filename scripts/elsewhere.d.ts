/**
 * What `npm run typecheck` can't see: modules of packages with a lock file of their own, which only one command
 * installs, and other hosts' globals. Each is of any type.
 */

declare module '@hono/node-server';
declare module '@jsquash/jpeg/codec/dec/mozjpeg_dec.js';
declare module '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm';
declare module '@litertjs/core';
declare module '@observablehq/plot';
declare module '@photostructure/sqlite';
declare module '@tensorflow/tfjs-backend-wasm';
declare module '@tensorflow/tfjs-core';
declare module 'bullmq';
declare module 'esbuild';
declare module 'fast-png';
declare module 'flatbuffers';
declare module 'hono/cors';
declare module 'hono/tiny';
declare module 'hono/utils/accept';
declare module 'ioredis';
declare module 'linkedom';
declare module 'onnx-proto';
declare module 'onnxruntime-node';
declare module 'onnxruntime-web/wasm';
declare module 'react';
declare module 'sqlite-vec';
declare module 'typedoc';
declare module 'workerd';
/** A Worker's data module. */
declare module '*.safetensors';

declare const Bun: any;
declare const Deno: any;
