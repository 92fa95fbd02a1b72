package serve

import (
	"errors"
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
	})
}

func FuzzAPI(f *testing.F) {
	f.Add([]byte(`{"text":"a","explain":3}`))
	f.Add([]byte(`{"texts":["a","\ud800"]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, texts, err := decodeAPI(body)
		sound(t, texts, err)
	})
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
