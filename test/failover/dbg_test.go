package failover

import (
	"os"
	"path/filepath"
	"testing"
	"fmt"
)

func (c *cluster) dump(t *testing.T) {
	for i, n := range c.Nodes() {
		b, _ := os.ReadFile(filepath.Join(filepath.Dir(n.DataDir()), "log"))
		os.WriteFile(fmt.Sprintf("/tmp/node%d.log", i), append([]byte(n.Name()+" "+n.Addr()+"\n"), b...), 0o644)
	}
	os.WriteFile("/tmp/pando.log", []byte(c.server.Output()), 0o644)
}
