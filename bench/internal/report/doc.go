// Package report turns what the benchmarks measured into one table, one
// picture and a verdict on every goal that Pando has set itself.
//
// A ratio is always taken within one round: the round of one server divided by
// the round of the other that ran right before or after it. The figure is the
// median of these ratios over the rounds, shown with the smallest and the
// largest. A figure that any wrong answer took part in is void.
package report
