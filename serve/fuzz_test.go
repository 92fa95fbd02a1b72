package serve

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// sound holds a decoder to its promise: texts that are valid, or a fault of the
// client.
func sound(t *testing.T, texts []string, err error) {
	t.Helper()
	if err != nil {
		var f *fault
		if !errors.As(err, &f) && asFault(err).status >= 500 {
			t.Fatalf("a fault of the server: %v", err)
		}
		if f != nil && (f.status < 400 || f.status >= 500 || f.message == "") {
			t.Fatalf("status %d: %q", f.status, f.message)
		}
		return
	}
	for _, text := range texts {
		if !utf8.ValidString(text) {
			t.Fatalf("text %q", text)
		}
	}
}

func FuzzForm(f *testing.F) {
	f.Add([]byte("text=a+b%20c"), "application/x-www-form-urlencoded", "")
	f.Add([]byte("text=%ff;x=1&text=2"), "application/x-www-form-urlencoded", "")
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\na\r\n--b--\r\n"), "multipart/form-data", "b")
	f.Fuzz(func(t *testing.T, body []byte, kind, boundary string) {
		text, err := decodeForm(body, kind, map[string]string{"boundary": boundary})
		sound(t, []string{text}, err)
		if kind == "application/x-www-form-urlencoded" && err == nil {
			if v, err := url.ParseQuery(string(body)); err != nil || strings.ToValidUTF8(v.Get("text"), "\uFFFD") != text {
				t.Fatalf("%q: %q, want %v, %v", body, text, v, err)
			}
		}
	})
}

func FuzzAPI(f *testing.F) {
	f.Add([]byte(`{"text":"a","explain":3}`))
	f.Add([]byte(`{"texts":["a","\ud800"]}`))
	f.Add([]byte(`{"text":"a \"b\" \u003cbr\u00e9é"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, texts, err := decodeAPI(body)
		sound(t, texts, err)
		if text, ok := onlyText(body); ok {
			// What is read in a shorter way is what the decoder reads.
			var r apiRequest
			if err := json.Unmarshal(body, &r); err != nil || r.Text == nil || *r.Text != text || r.Texts != nil || r.Explain != 0 {
				t.Fatalf("%q: %q, want %v, %v", body, text, r.Text, err)
			}
		}
	})
}

// The common requests take the shorter way, and what it does not know takes the other.
func TestOnlyText(t *testing.T) {
	for body, want := range map[string]string{
		`{"text":"a film"}`:                           "a film",
		" {\n\t\"text\" : \"a\" }\r\n":                "a",
		`{"text":""}`:                                 "",
		`{"text":"\"\\\/\b\f\n\r\t\u00e9\u003Cbr é"}`: "\"\\/\b\f\n\r\té<br é",
	} {
		if got, ok := onlyText([]byte(body)); !ok || got != want {
			t.Errorf("%s: %q, %v", body, got, ok)
		}
	}
	for _, body := range []string{
		``, `{`, `{}`, `{"text"}`, `{"text":`, `{"text":"a`, `{"text":"a"`, `{"text":"a"}}`, `{"text":"a"} x`, `{"text":"a","explain":1}`, `{"text":1}`, `{"Text":"a"}`,
		`["a"]`, `{"text":"\x"}`, `{"text":"\u12"}`, `{"text":"\u12g4"}`, `{"text":"\ud83d\ude00"}`, "{\"text\":\"a\nb\"}", "{\"text\":\"\xff\"}", `{"text":"\`,
	} {
		if got, ok := onlyText([]byte(body)); ok {
			t.Errorf("%s: %q", body, got)
		}
	}
}

func FuzzInvocations(f *testing.F) {
	for _, s := range []string{`{"inputs":["a"]}`, `{"inputs":{"text":[["a"]]}}`, `{"instances":[{"review":"a"}]}`, `{"dataframe_split":{"columns":["text"],"data":[["a"]]}}`, `{"dataframe_records":[{"text":"a"}],"params":{}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		texts, err := decodeInvocations(body)
		sound(t, texts, err)
	})
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("id,text\n1,a\n2,\"b\n\"\n"))
	f.Add([]byte("\xef\xbb\xbftext\n\xff\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		texts, err := decodeCSV(body, 10)
		if len(texts) > 11 {
			t.Fatalf("%d texts", len(texts))
		}
		sound(t, texts, err)
	})
}

func FuzzInfer(f *testing.F) {
	f.Add([]byte(`{"id":"1","inputs":[{"name":"text","shape":[1,1],"datatype":"BYTES","data":[["a"]]}],"outputs":[{"name":"label"}]}`))
	f.Add([]byte(`{"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","parameters":{"content_type":"base64"},"data":["/w=="]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, tensor, texts, err := decodeInfer(body)
		if err == nil && int64(len(texts)) != tensor.Shape[0] {
			t.Fatalf("%d texts of shape %v", len(texts), tensor.Shape)
		}
		sound(t, texts, err)
	})
}
