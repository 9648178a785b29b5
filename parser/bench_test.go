package parser

import (
	"fmt"
	"strings"
	"testing"
)

// manyServices is a configuration of n services with ten real servers each.
func manyServices(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "virtual_server 10.%d.%d.%d 80 {\n    delay_loop 6\n    lb_algo rr\n    lb_kind DR\n    protocol TCP\n\n", i>>16, i>>8&255, i&255)
		for r := range 10 {
			fmt.Fprintf(&b, "    real_server 192.168.%d.%d 80 {\n        weight 100\n        TCP_CHECK {\n            connect_timeout 3\n"+
				"            retry 3\n            delay_before_retry 3\n        }\n    }\n", i&255, r+1)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprintf("%dx10", n), func(b *testing.B) {
			text := manyServices(n)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				c, problems, err := Load(Options{File: "x", Files: Memory{"x": text}})
				if err != nil || len(problems) > 0 || len(c.Services) != n {
					b.Fatal(err, problems)
				}
			}
		})
	}
}
