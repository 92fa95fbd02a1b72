package model

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size of a huge page on amd64, and on arm64 with pages of 4 KiB.
const hugePage = 2 << 20

// preferHuge asks the kernel for huge pages below data, which nothing was written to
// yet. Terms are looked up all over tens of megabytes: with small pages most
// look-ups wait for the page tables as well, in a virtual machine for two of them.
func preferHuge(data []byte) {
	begin := uintptr(unsafe.Pointer(unsafe.SliceData(data))) //nolint:gosec // only to align
	from := int((begin+hugePage-1)&^(hugePage-1) - begin)    //nolint:gosec // below a huge page
	if n := (len(data) - from) &^ (hugePage - 1); n > 0 {
		// What a kernel does not have is not missed.
		_ = unix.Madvise(data[from:from+n], unix.MADV_HUGEPAGE)
	}
}
