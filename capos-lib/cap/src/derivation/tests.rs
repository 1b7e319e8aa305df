//! Families, and what revoking one of their members does.

use super::{MOST_ANCESTORS, MOST_REVOCATIONS, NodeId, Place, Progress, Tree, TreeError};
use capos_abi::CapId;
use proptest::prelude::{
    ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

fn place(n: u64) -> Place {
    Place { table: n, cap: CapId::new(n as u32, 1) }
}

/// Revokes to the end; gives the victims in order and the number of calls with a single step each.
fn revoke(tree: &mut Tree, node: NodeId) -> (Vec<u64>, usize) {
    tree.begin_revoke(node).expect("a live node");
    let (mut victims, mut steps) = (Vec::new(), 0);
    loop {
        steps += 1;
        match tree.revoke(node, 1) {
            Progress::Victim { place, .. } => victims.push(place.table),
            Progress::More => {}
            Progress::Done => return (victims, steps),
        }
    }
}

/// A chain of `length` generations; the first is a root.
fn chain(tree: &mut Tree, length: u64) -> Vec<NodeId> {
    let mut nodes = Vec::from([tree.root(place(0)).unwrap()]);
    for n in 1..length {
        nodes.push(tree.derive(*nodes.last().unwrap(), place(n)).unwrap());
    }
    nodes
}

#[test]
fn a_node_knows_its_place_and_follows_a_move() {
    let mut tree = Tree::new();
    let node = tree.root(place(1)).unwrap();
    assert_eq!(tree.place(node), Some(place(1)));
    tree.moved(node, place(2)).unwrap();
    assert_eq!(tree.place(node), Some(place(2)));
}

#[test]
fn a_released_node_is_gone_and_its_id_stale() {
    let mut tree = Tree::new();
    let node = tree.root(place(1)).unwrap();
    tree.released(node).unwrap();
    assert_eq!((tree.place(node), tree.len(), tree.is_empty()), (None, 0, true));
    assert_eq!(tree.released(node), Err(TreeError::Stale));
    assert_eq!(tree.moved(node, place(2)), Err(TreeError::Stale));
    assert_eq!(tree.derive(node, place(2)), Err(TreeError::Stale));
    assert_eq!(tree.begin_revoke(node), Err(TreeError::Stale));
    let next = tree.root(place(3)).unwrap();
    assert_ne!(next, node);
}

#[test]
fn revoking_kills_all_generations_below_and_nothing_else() {
    let mut tree = Tree::new();
    let nodes = chain(&mut tree, 6);
    let aside = tree.derive(nodes[1], place(100)).unwrap();
    let (mut victims, _) = revoke(&mut tree, nodes[2]);
    victims.sort_unstable();
    assert_eq!(victims, [3, 4, 5]);
    assert!(nodes[..3].iter().chain([&aside]).all(|node| tree.place(*node).is_some()));
    assert_eq!(tree.len(), 4);
}

#[test]
fn revoking_a_leaf_does_nothing() {
    let mut tree = Tree::new();
    let nodes = chain(&mut tree, 2);
    assert_eq!(revoke(&mut tree, nodes[1]), (Vec::new(), 1));
    assert_eq!(tree.len(), 2);
}

#[test]
fn ancestors_die_before_descendants() {
    let mut tree = Tree::new();
    let nodes = chain(&mut tree, 5);
    assert_eq!(revoke(&mut tree, nodes[0]).0, [1, 2, 3, 4]);
}

#[test]
fn a_release_in_the_middle_does_not_cut_off_descendants() {
    let mut tree = Tree::new();
    let nodes = chain(&mut tree, 4);
    tree.released(nodes[1]).unwrap();
    tree.released(nodes[2]).unwrap();
    assert_eq!(tree.len(), 2);
    assert_eq!(revoke(&mut tree, nodes[0]).0, [3]);
}

#[test]
fn a_released_parent_of_two_stays_until_one_is_left() {
    let mut tree = Tree::new();
    let nodes = chain(&mut tree, 2);
    let (left, right) =
        (tree.derive(nodes[1], place(10)).unwrap(), tree.derive(nodes[1], place(11)).unwrap());
    tree.released(nodes[1]).unwrap();
    assert_eq!(tree.len(), 4, "dead, but holding two together");
    assert_eq!(tree.derive(nodes[1], place(12)), Err(TreeError::Stale));
    tree.released(left).unwrap();
    assert_eq!(tree.len(), 2);
    assert_eq!(revoke(&mut tree, nodes[0]).0, [11]);
    assert_eq!(tree.place(right), None);
}

#[test]
fn copying_on_and_releasing_for_ever_does_not_grow_the_tree() {
    let mut tree = Tree::new();
    let root = tree.root(place(0)).unwrap();
    let mut last = tree.derive(root, place(1)).unwrap();
    for n in 0..if cfg!(miri) { 50 } else { 1000 } {
        let next = tree.derive(last, place(n)).unwrap();
        tree.released(last).unwrap();
        last = next;
        assert_eq!(tree.len(), 2);
    }
}

#[test]
fn a_released_root_leaves_its_children_alone() {
    let mut tree = Tree::new();
    let nodes = chain(&mut tree, 3);
    tree.released(nodes[0]).unwrap();
    assert_eq!(revoke(&mut tree, nodes[1]).0, [2]);
}

#[test]
fn revocation_takes_at_most_three_steps_for_each_node() {
    let mut tree = Tree::new();
    let root = tree.root(place(0)).unwrap();
    let mut nodes = Vec::from([root]);
    let members = if cfg!(miri) { 50 } else { 500 };
    for n in 1..members {
        let parent = nodes[(n as usize * 7919) % nodes.len()];
        nodes.push(tree.derive(parent, place(n)).unwrap());
    }
    let (victims, steps) = revoke(&mut tree, root);
    assert_eq!((victims.len(), tree.len()), (members as usize - 1, 1));
    assert!(steps <= 3 * members as usize, "{steps}");
}

#[test]
fn no_call_takes_more_steps_than_it_was_given() {
    let mut tree = Tree::new();
    let nodes = chain(&mut tree, 3);
    tree.begin_revoke(nodes[0]).unwrap();
    assert_eq!(tree.revoke(nodes[0], 0), Progress::More);
    assert!(matches!(tree.revoke(nodes[0], 1), Progress::Victim { .. }));
    assert_eq!(tree.revoke(nodes[0], 1), Progress::More, "the grandchild is handed up");
}

#[test]
fn nothing_is_derived_below_a_revocation() {
    let mut tree = Tree::new();
    let nodes = chain(&mut tree, 5);
    let stranger = tree.root(place(50)).unwrap();
    tree.begin_revoke(nodes[1]).unwrap();
    for node in &nodes[1..] {
        assert_eq!(tree.derive(*node, place(9)), Err(TreeError::Revoking));
    }
    assert!(tree.derive(nodes[0], place(9)).is_ok(), "above");
    assert!(tree.derive(stranger, place(9)).is_ok(), "elsewhere");
    while tree.revoke(nodes[1], 8) != Progress::Done {}
    assert!(tree.derive(nodes[1], place(9)).is_ok(), "afterwards");
}

#[test]
fn during_a_revocation_very_deep_families_have_to_wait() {
    let mut tree = Tree::new();
    let deep = chain(&mut tree, MOST_ANCESTORS as u64 + 1);
    let elsewhere = tree.root(place(0)).unwrap();
    tree.begin_revoke(elsewhere).unwrap();
    assert!(tree.derive(deep[MOST_ANCESTORS - 1], place(1)).is_ok());
    assert_eq!(tree.derive(deep[MOST_ANCESTORS], place(1)), Err(TreeError::Revoking));
    assert_eq!(tree.revoke(elsewhere, 1), Progress::Done);
    assert!(tree.derive(deep[MOST_ANCESTORS], place(1)).is_ok());
}

#[test]
fn a_revocation_is_not_begun_twice() {
    let mut tree = Tree::new();
    let nodes = chain(&mut tree, 2);
    tree.begin_revoke(nodes[0]).unwrap();
    assert_eq!(tree.begin_revoke(nodes[0]), Err(TreeError::Revoking));
    assert!(matches!(tree.revoke(nodes[0], 9), Progress::Victim { .. }));
    assert_eq!(tree.revoke(nodes[0], 9), Progress::Done);
    assert_eq!(tree.revoke(nodes[0], 9), Progress::Done);
    assert_eq!(tree.begin_revoke(nodes[0]), Ok(()));
}

#[test]
fn a_revocation_within_a_revocation_ends_with_it() {
    let mut tree = Tree::new();
    let nodes = chain(&mut tree, 5);
    tree.begin_revoke(nodes[2]).unwrap();
    tree.revoke(nodes[2], 1);
    let (victims, _) = revoke(&mut tree, nodes[0]);
    assert_eq!((victims, tree.len()), (Vec::from([1, 2, 4]), 1), "3 was dead by then");
    assert_eq!(tree.revoke(nodes[2], 9), Progress::Done);
    assert!(tree.derive(nodes[0], place(9)).is_ok(), "no revocation is left over");
}

#[test]
fn a_revocation_is_done_only_when_all_below_is_dead_whoever_killed_it() {
    let mut tree = Tree::new();
    let nodes = chain(&mut tree, 5);
    tree.begin_revoke(nodes[1]).unwrap();
    tree.begin_revoke(nodes[0]).unwrap();
    assert!(matches!(tree.revoke(nodes[0], 1), Progress::Victim { place, .. } if place.table == 1));
    assert!(matches!(tree.revoke(nodes[0], 9), Progress::Victim { place, .. } if place.table == 2));
    assert!(matches!(tree.revoke(nodes[1], 9), Progress::Victim { place, .. } if place.table == 3));
    assert!(matches!(tree.revoke(nodes[0], 9), Progress::Victim { place, .. } if place.table == 4));
    assert_eq!(
        (tree.revoke(nodes[0], 9), tree.revoke(nodes[1], 9), tree.len()),
        (Progress::Done, Progress::Done, 1)
    );
}

#[test]
fn the_number_of_revocations_at_once_is_bounded() {
    let mut tree = Tree::new();
    let nodes = chain(&mut tree, MOST_REVOCATIONS as u64 + 1);
    for node in &nodes[1..] {
        tree.begin_revoke(*node).unwrap();
    }
    assert_eq!(tree.begin_revoke(nodes[0]), Err(TreeError::Revoking));
    assert_eq!(tree.revoke(nodes[MOST_REVOCATIONS], 1), Progress::Done);
    assert_eq!(revoke(&mut tree, nodes[0]).0.len(), MOST_REVOCATIONS);
}

#[test]
fn releasing_what_is_being_revoked_does_not_stop_the_revocation() {
    let mut tree = Tree::new();
    let nodes = chain(&mut tree, 4);
    tree.begin_revoke(nodes[1]).unwrap();
    tree.released(nodes[1]).unwrap();
    let mut victims = 0;
    loop {
        match tree.revoke(nodes[1], 1) {
            Progress::Victim { .. } => victims += 1,
            Progress::More => {}
            Progress::Done => break,
        }
    }
    assert_eq!((victims, tree.len()), (2, 1));
}

#[test]
fn victims_may_be_released_before_their_turn() {
    let mut tree = Tree::new();
    let nodes = chain(&mut tree, 4);
    tree.begin_revoke(nodes[0]).unwrap();
    tree.revoke(nodes[0], 1);
    assert_eq!(tree.released(nodes[1]), Err(TreeError::Stale), "dead already");
    tree.released(nodes[2]).unwrap();
    let Progress::Victim { place: last, .. } = tree.revoke(nodes[0], 9) else { panic!("one is left") };
    assert_eq!((last, tree.revoke(nodes[0], 9), tree.len()), (place(3), Progress::Done, 1));
}

#[derive(Clone, Debug)]
enum Step {
    Root,
    Derive(prop::sample::Index),
    Release(prop::sample::Index),
    Move(prop::sample::Index),
    Begin(prop::sample::Index),
    Revoke(prop::sample::Index, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        2 => any::<()>().prop_map(|()| Step::Root),
        12 => index().prop_map(Step::Derive),
        6 => index().prop_map(Step::Release),
        2 => index().prop_map(Step::Move),
        1 => index().prop_map(Step::Begin),
        4 => (index(), 0usize..6).prop_map(|(which, steps)| Step::Revoke(which, steps)),
    ]
}

/// For every living node: where it is and who its ancestors ever were, dead or alive.
#[derive(Default)]
struct Model {
    alive: BTreeMap<u64, (NodeId, Place, BTreeSet<u64>)>,
    /// Nodes that are being revoked, with the number they had.
    revoking: Vec<(NodeId, u64)>,
}

impl Model {
    /// Any node ever made, so that stale ids are tried too.
    fn add(&mut self, number: u64, node: NodeId, parent: Option<u64>) {
        let ancestors = parent.map_or(BTreeSet::new(), |parent| {
            let mut all = self.alive[&parent].2.clone();
            all.insert(parent);
            all
        });
        self.alive.insert(number, (node, place(number), ancestors));
    }

    /// Whether something is being revoked at or above a living node.
    fn doomed(&self, number: u64) -> bool {
        let ancestors = &self.alive[&number].2;
        self.revoking.iter().any(|(_, root)| *root == number || ancestors.contains(root))
    }

    fn below(&self, root: u64) -> usize {
        self.alive.values().filter(|(.., ancestors)| ancestors.contains(&root)).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 12 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_tree_follows_sets_of_ancestors(steps in prop::collection::vec(step(), if cfg!(miri) { 60..80 } else { 10_000..12_000 })) {
        let mut tree = Tree::new();
        let mut model = Model::default();
        let mut ever: Vec<(NodeId, u64)> = Vec::new();
        for (n, step) in steps.into_iter().enumerate() {
            let number = n as u64;
            // Mostly recent nodes, so that many steps meet living ones.
            let pick = |which: prop::sample::Index| {
                let recent = &ever[ever.len().saturating_sub(40)..];
                (!recent.is_empty()).then(|| *which.get(recent))
            };
            match step {
                Step::Root => {
                    let node = tree.root(place(number)).unwrap();
                    ever.push((node, number));
                    model.add(number, node, None);
                }
                Step::Derive(which) => if let Some((parent, parent_number)) = pick(which) {
                    let made = tree.derive(parent, place(number));
                    if !model.alive.contains_key(&parent_number) {
                        prop_assert_eq!(made, Err(TreeError::Stale));
                    } else if model.doomed(parent_number) {
                        prop_assert_eq!(made, Err(TreeError::Revoking));
                    } else if let Ok(node) = made {
                        ever.push((node, number));
                        model.add(number, node, Some(parent_number));
                    } else {
                        prop_assert!(made == Err(TreeError::Revoking) && !model.revoking.is_empty());
                    }
                },
                Step::Release(which) => if let Some((node, number)) = pick(which) {
                    prop_assert_eq!(tree.released(node).is_ok(), model.alive.remove(&number).is_some());
                },
                Step::Move(which) => if let Some((node, number)) = pick(which) {
                    let to = place(n as u64 + 1_000_000);
                    let living = model.alive.get_mut(&number);
                    prop_assert_eq!(tree.moved(node, to).is_ok(), living.is_some());
                    if let Some(living) = living { living.1 = to; }
                },
                Step::Begin(which) => if let Some((node, number)) = pick(which) {
                    let again = model.revoking.contains(&(node, number));
                    let begun = tree.begin_revoke(node);
                    let room = model.revoking.len() < MOST_REVOCATIONS;
                    prop_assert_eq!(begun.is_ok(), model.alive.contains_key(&number) && !again && room);
                    if begun.is_ok() { model.revoking.push((node, number)); }
                },
                Step::Revoke(which, steps) => if !model.revoking.is_empty() {
                    let (node, root) = *which.get(&model.revoking);
                    match tree.revoke(node, steps) {
                        Progress::Victim { place, node: victim } => {
                            let found = model.alive.iter().find(|(_, (node, ..))| *node == victim).map(|(n, living)| (*n, living.clone()));
                            let (number, (_, at, ancestors)) = found.expect("only the living are killed");
                            prop_assert!(at == place && ancestors.contains(&root), "only what was derived from it, where it is");
                            model.alive.remove(&number);
                        }
                        Progress::More => {}
                        Progress::Done => {
                            prop_assert_eq!(model.below(root), 0, "nothing is left");
                            model.revoking.retain(|(other, _)| *other != node);
                        }
                    }
                },
            }
            prop_assert!(tree.len() <= 2 * model.alive.len() + 40 * (1 + model.revoking.len()), "dead nodes pile up");
        }
        for (node, at, _) in model.alive.values() {
            prop_assert_eq!(tree.place(*node), Some(*at));
        }
        while let Some((node, _)) = model.revoking.pop() {
            while tree.revoke(node, 100) != Progress::Done {}
        }
        prop_assert!(tree.len() <= 2 * model.alive.len());
    }
}
