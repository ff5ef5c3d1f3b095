"""Settings of the runs by which tests find each setting at its work."""

from metal_tf.agent import agents

# No two of them have a number in common, so none can stand for another.
_FIRST = dict(
    num_episodes=5, seed=3, checkpoint_seconds=1e6, evaluation_period=2,
    max_episode_steps=30, feasibility_episodes=1, lagrange_lr=0.011,
    lagrange_multiplier=0.12, meta_lr=0.013, meta_optimizer='adam',
    meta_epsilon=0.14, meta_parameter_limit=1.5,
    multiplier_projection='straight_through', outer_loss='actor',
    outer_divergence='kl', validation_fraction=0.25, critic='distributional',
    inner_optimizer='adam', batch_size=16, discount=0.97, n_step=4,
    policy_lr=1.8e-3, critic_lr=1.9e-3, policy_layer_sizes=(20, 21),
    critic_layer_sizes=(22, 23, 24), num_atoms=13, vmin=-25.0, vmax=26.0,
    clip_norm=27.0, dqda_clip_norm=2.8, target_update_period=7,
    exploration_sigma=0.29, xla=True, steps_per_call=6, learner_threads=0,
    replay_capacity=71, min_replay_size=32, samples_per_insert=3.3,
    penalty_capacity=3, penalty_samples=35, replay='prioritized',
    replay_store='own', priority_exponent=0.36, importance_exponent=0.77)
_SECOND = dict(
    num_episodes=4, seed=43, checkpoint_seconds=0.0, evaluation_period=3,
    max_episode_steps=34, feasibility_episodes=2, lagrange_lr=0.051,
    lagrange_multiplier=0.52, meta_lr=0.053, meta_optimizer='adam',
    meta_epsilon=0.54, meta_parameter_limit=5.5,
    multiplier_projection='exact', outer_loss='actor_critic',
    outer_divergence='cross_entropy', validation_fraction=0.75,
    critic='distributional', inner_optimizer='sgd', batch_size=12,
    discount=0.94, n_step=1, policy_lr=5.8e-3, critic_lr=5.9e-3,
    policy_layer_sizes=(60,), critic_layer_sizes=(62, 63), num_atoms=65,
    vmin=-66.0, vmax=67.0, clip_norm=68.0, dqda_clip_norm=6.9,
    target_update_period=8, exploration_sigma=0.79, xla=False,
    steps_per_call=2, learner_threads=0, replay_capacity=84,
    min_replay_size=37, samples_per_insert=4.4, penalty_capacity=2,
    penalty_samples=9, replay='prioritized', replay_store='reverb',
    priority_exponent=0.85, importance_exponent=0.46)
RUNS = {
    'first': (agents.METAL, _FIRST),
    'second': (agents.METAL, _SECOND),
    'others': (agents.METAL, dict(
        _FIRST, critic='scalar', outer_divergence='td', meta_optimizer='sgd',
        outer_loss='critic',
        replay='uniform', replay_store='auto', learner_threads=2)),
    'td': (agents.METAL, dict(_SECOND, outer_divergence='td')),
    'mesh': (agents.MESH, dict(
        _FIRST, outer_loss='critic', mesh_lr=0.091, mesh_layer_sizes=(92,))),
    'mesh, too': (agents.MESH, dict(
        _SECOND, outer_loss='critic', mesh_lr=0.093,
        mesh_layer_sizes=(94, 95))),
}
