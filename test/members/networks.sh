#!/bin/sh
# Three networks: clients reach the load balancer, the load balancer reaches the web
# server, and nobody forwards anything. Run by TestNetworks within network and mount
# namespaces of its own, where it may do as it likes; PostgreSQL is reached by a socket
# file. Prints what each who asks is answered.
set -eu
pando=$1 database=$2 dir=$3

mount -t tmpfs none /run
for n in client edge web; do
    ip netns add $n
    ip -n $n link set lo up
done
ip link add eth0 netns client type veth peer name public netns edge
ip link add eth0 netns web type veth peer name private netns edge
ip -n client addr add 10.77.0.2/24 dev eth0
ip -n edge addr add 10.77.0.1/24 dev public
ip -n edge addr add 10.77.1.1/24 dev private
ip -n web addr add 10.77.1.2/24 dev eth0
ip -n client link set eth0 up
ip -n edge link set public up
ip -n edge link set private up
ip -n web link set eth0 up
ip -n client route add default via 10.77.0.1 # a client tries all the same

ip netns exec web "$pando" serve --dir "$dir/web" --database "$database" --blob "file://$dir/files" \
    --http 10.77.1.2:8090 --admin off --advertise 10.77.1.2:8100 >"$dir/web.log" 2>&1 &
ip netns exec edge "$pando" lb --join 10.77.1.2:8100 --listen 10.77.0.1:80 --admin off >"$dir/lb.log" 2>&1 &

ask() { # ask NAME NETWORK URL
    code=$(ip netns exec "$2" curl --silent --max-time 2 --output /dev/null --write-out '%{http_code}' "$3" || true)
    echo "$1 $code"
}
for i in $(seq 100); do
    [ "$(ask ready client http://10.77.0.1/readyz)" = "ready 200" ] && break
    sleep 0.1
done
ask client-to-balancer client http://10.77.0.1/api/health
ask client-to-server client http://10.77.1.2:8090/readyz
ask client-to-private client http://10.77.1.2:8100/
ask balancer-to-server edge http://10.77.1.2:8090/readyz
ask balancer-past-its-certificate edge http://10.77.1.2:8090/api/health
ask plain-to-private edge http://10.77.1.2:8100/
