// Package plainfile opens regular files without what only pipes and sockets need.
package plainfile
