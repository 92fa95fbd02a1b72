package cache

import "io/fs"

// FileInfoKey is what a file system tells of a file without reading it. As
// long as none of it changes, neither did the content: every write changes the
// change time, which programs cannot set.
type FileInfoKey struct {
	Size int64
	// MTime and CTime are nanoseconds since 1970; CTime is 0 on systems
	// without a change time.
	MTime, CTime int64
	// Inode is 0 on systems that do not tell.
	Inode uint64
}

// StatKey returns the identity of the file that info, from os.Stat or
// os.Lstat, describes.
func StatKey(info fs.FileInfo) FileInfoKey {
	k := FileInfoKey{Size: info.Size(), MTime: info.ModTime().UnixNano()}
	k.CTime, k.Inode = sysStat(info)
	return k
}

// A file changed twice within one tick of the clock that stamps it looks the
// same after both. What was hashed within a tick of its last change is
// therefore not proof of anything. The kernel's tick is at most 10 ms (15.6 ms
// on Windows); file systems that keep whole seconds, or two of them (FAT),
// are told by times without a fraction.
const (
	fineTick   = 40 * 1e6   // ns
	coarseTick = 2100 * 1e6 // ns
)

// settled returns the earliest time, in ns since 1970, at which reading the
// file cannot have missed a change within the tick of its last one.
func (k FileInfoKey) settled() int64 {
	settle := func(t int64) int64 {
		if t%1e9 == 0 {
			return t + coarseTick
		}
		return t + fineTick
	}
	if k.CTime == 0 {
		return settle(k.MTime)
	}
	// A time that was set by hand says nothing about ticks; a change time
	// cannot be set, and is what moves at any change.
	return settle(k.CTime)
}
