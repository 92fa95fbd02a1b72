// Package localfiles keeps artifacts in directories of this machine. It is the
// part that the embedded store and a server on the same machine share.
package localfiles
