package importer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/importer"
)

// BenchmarkImport takes rows of about 350 bytes; b.N is rows.
func BenchmarkImport(b *testing.B) {
	f := newFixture(b)
	var text strings.Builder
	for i := range b.N {
		fmt.Fprintf(&text, `{"n":%d,"title":"Row number %d of many","body":%q,"price":%d.25,"ok":%v,"day":"2024-01-%02d","tags":["a","b"]}`+"\n",
			i, i, strings.Repeat("lorem ipsum dolor sit amet ", 8), i%1000, i%3 == 0, i%28+1)
	}
	path := file(b, "rows.ndjson", text.String())
	b.SetBytes(int64(text.Len() / b.N))
	b.ResetTimer()
	if sum := f.imports(b, path, importer.Options{Collection: "rows"}); sum.Rows != b.N {
		b.Fatalf("%+v", sum)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
