"""Run the dev cluster without the rest of the gateway: `python -m gateway.devcluster`."""
from gateway.devcluster.cluster import DevCluster
DevCluster().up()
