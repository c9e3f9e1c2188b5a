/** `layertap/threads`: plans on several threads. Nothing of it is loaded by the main entry. */

export * from './thread-pool.ts';
