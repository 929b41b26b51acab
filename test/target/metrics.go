package target

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Metrics are the values of every series of a metric, by its labels as they are
// written ({…}; "" without any). They come from the operators' listener.
func (s *Server) Metrics(ctx context.Context, name string) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("target: metrics of %s: %s", s.Name, res.Status)
	}
	values := map[string]float64{}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text, value, ok := cutLast(lines.Text())
		labels, found := strings.CutPrefix(text, name)
		if !ok || !found || labels != "" && labels[0] != '{' {
			continue
		}
		if values[labels], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, fmt.Errorf("target: metric %s: %w", text, err)
		}
	}
	return values, lines.Err()
}

func cutLast(line string) (text, value string, ok bool) {
	i := strings.LastIndexByte(line, ' ')
	if i < 0 || line[0] == '#' {
		return "", "", false
	}
	return line[:i], line[i+1:], true
}

var label = regexp.MustCompile(`(\w+)="([^"]*)"`)

// Sum adds the values of a metric's series that have the label.
func (s *Server) Sum(ctx context.Context, metric, name, value string) (sum float64, err error) {
	all, err := s.Metrics(ctx, metric)
	for labels, v := range all {
		for _, m := range label.FindAllStringSubmatch(labels, -1) {
			if m[1] == name && m[2] == value {
				sum += v
			}
		}
	}
	return sum, err
}
