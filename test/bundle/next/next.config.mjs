// Its packages are linked from another folder than the user's project, and Turbopack refuses links that leave its root.
export default { turbopack: { root: '/' } };
