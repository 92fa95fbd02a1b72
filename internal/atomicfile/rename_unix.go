//go:build !windows

package atomicfile

import "os"

// Rename gives a file another name, in place of any file that has it.
func Rename(from, to string) error { return os.Rename(from, to) }

// SyncDir makes the names in a directory durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
