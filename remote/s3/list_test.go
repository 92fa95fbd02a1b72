package s3

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const aListing = `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>files/a&amp;b</Prefix><KeyCount>2</KeyCount>
<MaxKeys>1000</MaxKeys><Delimiter/><IsTruncated>true</IsTruncated><NextContinuationToken>1/&lt;2&gt;&quot;&apos;</NextContinuationToken>
<Contents><Key>files/a&amp;b/é</Key><LastModified>2026-11-27T10:11:12.345Z</LastModified><ETag>&#34;d41d8&#34;</ETag><Size>7</Size>
<Owner><ID>x</ID><Key>not the name</Key></Owner><StorageClass>STANDARD</StorageClass></Contents><Contents><Key></Key><Size>-1</Size></Contents></ListBucketResult>`

// TestScanList compares with encoding/xml.
func TestScanList(t *testing.T) {
	page, ok := scanList([]byte(aListing))
	if !ok {
		t.Fatal("the usual form is not known")
	}
	want := new(listPage)
	if err := xml.Unmarshal([]byte(aListing), want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, page); diff != "" || len(page.Contents) != 2 || page.Contents[0].Key != "files/a&b/é" {
		t.Errorf("(-encoding/xml +got):\n%s", diff)
	}
	for name, text := range map[string]string{
		"cut off":          aListing[:len(aListing)/2],
		"CDATA":            strings.Replace(aListing, "<Size>7", "<Size><![CDATA[7]]>", 1),
		"numeric entities": strings.Replace(aListing, "a&amp;b/é", "a&#38;b", 1),
		"another root":     strings.ReplaceAll(aListing, "ListBucketResult", "Error"),
		"a namespace":      strings.ReplaceAll(aListing, "Contents>", "s:Contents>"),
		"crossed":          "<ListBucketResult><Contents><Key>a</Contents></Key></ListBucketResult>",
		"no number":        strings.Replace(aListing, "<Size>7", "<Size>seven", 1),
		"something after":  aListing + "more",
	} {
		if _, ok := scanList([]byte(text)); ok {
			t.Errorf("%s: taken for the usual form", name)
		}
	}
}

// FuzzScanList: what is read quickly reads as encoding/xml reads it.
func FuzzScanList(f *testing.F) {
	f.Add(aListing)
	f.Add("<ListBucketResult><Contents><Key> a\r\n</Key><Size> 1 </Size></Contents></ListBucketResult>")
	f.Fuzz(func(t *testing.T, text string) {
		page, ok := scanList([]byte(text))
		if !ok {
			return
		}
		want := new(listPage)
		if xml.Unmarshal([]byte(text), want) != nil {
			return // it is stricter, and no server writes what it refuses
		}
		if diff := cmp.Diff(want, page); diff != "" {
			t.Errorf("(-encoding/xml +got):\n%s", diff)
		}
	})
}

func BenchmarkScanList(b *testing.B) {
	text := []byte(strings.Replace(aListing, "</ListBucketResult>", strings.Repeat(
		"<Contents><Key>files/md5/ab/0123456789abcdef0123456789abcd</Key><LastModified>2026-11-27T10:11:12.345Z</LastModified><ETag>&quot;0&quot;</ETag><Size>7</Size></Contents>",
		1000)+"</ListBucketResult>", 1))
	b.Run("scan", func(b *testing.B) {
		for b.Loop() {
			if _, ok := scanList(text); !ok {
				b.Fatal("not known")
			}
		}
	})
	b.Run("encoding/xml", func(b *testing.B) {
		for b.Loop() {
			if err := xml.Unmarshal(text, new(listPage)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
