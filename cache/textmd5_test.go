package cache_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/flowrepro/flow/cache"
)

// The digests are DVC's own of its 2.x algorithm.
func TestTextMD5(t *testing.T) {
	const m = 1 << 20
	rep := strings.Repeat
	tests := []struct{ name, content, want string }{
		{"empty", "", "d41d8cd98f00b204e9800998ecf8427e"},
		{"crlf", "a\r\nb\r\n", "dd8c6a395b5dd36c56d23275028f526c"},
		{"lone cr", "a\rb\n\r", "bf8cbfbd8ab16d84b0a4da477e783f4d"},
		{"nul", "a\r\n\x00b\r\n", "e9edb956dbaaaedb0aa43117f5961b20"},
		{"nul after 512", rep("a\r\n", 300) + "\x00\r\n", "2429b438662c8b2e043df67f4ce851e5"},
		{"30 % odd", rep("\x80", 30) + rep("a", 66) + "\r\n\r\n", "fb19fd4f199e3ae3377f0e04f7f0655e"},
		{"31 % odd", rep("\x80", 31) + rep("a", 65) + "\r\n\r\n", "609622670249e2a079be5168d9ae51dd"},
		{"crlf over two chunks", rep("a", m-1) + "\r\nb\r\n", "deb8178cc400550795d42d701b97846d"},
		{"second chunk binary", rep("a\r\n", m/3) + rep("a", m%3) + "\x00" + rep("\r\n", 10), "ce92b6056736f5a2def1f4d657971aae"},
		{"second chunk text", "\x00" + rep("a", m-1) + "c\r\nd\r\n", "427e2b407262639b1e5aa301e4382017"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, step := range []int{m + m/2, 4096, 1000003} {
				w := cache.MD5Text.New()
				for rest := tt.content; rest != ""; {
					k := min(step, len(rest))
					if n, err := w.Write([]byte(rest[:k])); n != k || err != nil {
						t.Fatal(n, err)
					}
					rest = rest[k:]
					if len(rest)%7 == 0 {
						w.Sum(nil) // does not disturb what follows
					}
				}
				if got := hex.EncodeToString(w.Sum(nil)); got != tt.want {
					t.Errorf("in steps of %d: %s, want %s", step, got, tt.want)
				}
				w.Reset()
				if got := hex.EncodeToString(w.Sum(nil)); got != "d41d8cd98f00b204e9800998ecf8427e" {
					t.Errorf("after Reset: %s", got)
				}
			}
		})
	}
}
