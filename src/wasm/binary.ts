/** The builds of the kernels, by name. */

/**
 * A build of the kernels: `relaxed` uses fused multiply-adds (relaxed SIMD), `simd` rounds twice and gives the same
 * bits on every engine.
 */
export type Binary = 'simd' | 'relaxed';
