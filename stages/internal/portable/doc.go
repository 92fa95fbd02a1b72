// Package portable has the elementary functions whose results must not depend
// on the processor. The standard library uses assembly for some of them on
// some architectures, and compilers may fuse a product and a sum into one
// rounding; a stage's outputs are named by their digest, so the last bit
// counts. Every product below is rounded by an explicit conversion.
package portable
