"""A penalty read as a prior of the weights, and back."""

from shrinkage.priors._elastic_net import ElasticNetDistribution as ElasticNetDistribution
from shrinkage.priors._elastic_net import elastic_net as elastic_net
from shrinkage.priors._group_laplace import GroupLaplace as GroupLaplace
from shrinkage.priors._laplace import LaplaceDistribution as LaplaceDistribution
from shrinkage.priors._posterior import log_posterior as log_posterior
from shrinkage.priors._posterior import posterior as posterior
from shrinkage.priors._posterior import precision as precision
from shrinkage.priors._posterior import same_prior as same_prior
from shrinkage.priors._posterior import sample as sample
from shrinkage.priors._to_distribution import to_distribution as to_distribution
from shrinkage.priors._to_penalty import to_penalty as to_penalty

__all__ = [
    "ElasticNetDistribution",
    "GroupLaplace",
    "LaplaceDistribution",
    "elastic_net",
    "log_posterior",
    "posterior",
    "precision",
    "same_prior",
    "sample",
    "to_distribution",
    "to_penalty",
]
