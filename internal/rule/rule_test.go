package rule_test

import (
	"testing"

	"github.com/pandobase/pando/internal/rule/ruletest"
)

func TestFiles(t *testing.T) { ruletest.Run(t, ruletest.Memory) }
