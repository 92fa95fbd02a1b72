//go:build !windows

package cache

import "os"

// replace renames from to to, whatever is there.
func replace(from, to string) error { return os.Rename(from, to) }
