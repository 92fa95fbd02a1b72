package measure

import "time"

// CPU is not known on Windows.
func CPU() time.Duration { return 0 }

// Peak is not known on Windows.
func Peak() int64 { return 0 }

// Settle does nothing on Windows.
func Settle() {}
