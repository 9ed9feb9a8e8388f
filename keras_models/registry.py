"""The list of networks: one line each. Import it and every class is registered with Keras for loading."""

from keras_models.lkdn import LKDN
from keras_models.mafdn import MAFDN

NETWORKS = {network.__name__: network for network in (LKDN, MAFDN)}
